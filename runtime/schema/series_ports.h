/* Names of ports that all forecasting families share, so that one call runs each of them. */
#ifndef PML_RUNTIME_SCHEMA_SERIES_PORTS_H
#define PML_RUNTIME_SCHEMA_SERIES_PORTS_H

#include "runtime/schema/schema.h"

#define PML_PORT_VALUES "past_values" /* [B, look-back, C] */
#define PML_PORT_MARKS "past_marks"   /* [B, look-back, n_marks]: time marks of the look-back */
#define PML_PORT_DECODER_MARKS                                                                                         \
    "decoder_marks" /* [B, label_length + horizon, n_marks]: its last steps and the horizon */
#define PML_PORT_FORECAST "prediction_outputs" /* [B, horizon, C] */

/* Research code's names for them; rows of a schema's `aliases`. */
#define PML_SERIES_ALIASES                                                                                             \
    {"x", PML_PORT_VALUES}, {"x_enc", PML_PORT_VALUES}, {"x_mark", PML_PORT_MARKS}, {"x_mark_enc", PML_PORT_MARKS},    \
        {"x_mark_dec", PML_PORT_DECODER_MARKS}, {                                                                      \
        "y", PML_PORT_FORECAST                                                                                         \
    }

#endif
