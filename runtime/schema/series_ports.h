/* Names of ports that all forecasting families share, so that one call runs each of them. */
#ifndef PML_RUNTIME_SCHEMA_SERIES_PORTS_H
#define PML_RUNTIME_SCHEMA_SERIES_PORTS_H

#include "runtime/schema/schema.h"

#define PML_PORT_VALUES "past_values" /* [B, look-back, C] */
#define PML_PORT_MARKS "past_marks"   /* [B, look-back, n_marks]: time marks of the look-back */
#define PML_PORT_DECODER_MARKS                                                                                         \
    "decoder_marks" /* [B, label_length + horizon, n_marks]: its last steps and the horizon */
#define PML_PORT_FORECAST "prediction_outputs" /* [B, horizon, C] */

/* Row of a family's `config`: how windows are scaled around its network (runtime/models/window_scaler.h). */
#define PML_WINDOW_SCALER_KEY                                                                                          \
    {                                                                                                                  \
        .name = "window_scaler", .type = PML_CONFIG_CHOICE,                                                            \
        .choices = "identity|standard|robust|minmax|minmax1|invariant", .optional = true, .absent = "identity",        \
        .description = "forecasting: how each look-back window is scaled around the network"                           \
    }

/* Of a family that takes time marks: rows of its `config` and of its `derived`, which give `n_time_features`, marks a
 * step. The marks of a date are runtime/series/time_marks.h's business. */
#define PML_MARKS_CONFIG                                                                                               \
    {.name = "time_embedding",                                                                                         \
     .type = PML_CONFIG_CHOICE,                                                                                        \
     .choices = "timeF|fixed|learned|none",                                                                            \
     .description =                                                                                                    \
         "timeF: time marks are numbers in a range; fixed, learned: calendar numbers, looked up in tables"},           \
    {                                                                                                                  \
        .name = "frequency", .type = PML_CONFIG_CHOICE, .choices = "s|t|h|d|b|w|m|q|a",                                \
        .description = "of the series, which decides the time marks"                                                   \
    }
#define PML_MARKS_DERIVED                                                                                              \
    {"has_tables", "time_embedding == 'fixed' || time_embedding == 'learned'"}, {                                      \
        "n_time_features", "time_embedding == 'none' ? 0 : has_tables ? (frequency == 't' ? 5 : 4)"                    \
                           " : frequency == 's' ? 6 : frequency == 't' ? 5 : frequency == 'h' ? 4"                     \
                           " : frequency == 'd' || frequency == 'b' ? 3 : frequency == 'w' ? 2 : 1"                    \
    }
/* Rows of `inputs` and of `forecast`, for a network that needs them in encoder and decoder. */
#define PML_MARKS_INPUTS                                                                                               \
    {PML_PORT_MARKS, "B, context_length, n_time_features", false, "n_time_features > 0", "its time marks"}, {          \
        PML_PORT_DECODER_MARKS, "B, label_length + prediction_length, n_time_features", false, "n_time_features > 0",  \
            "time marks of the window's last label_length steps and of the horizon"                                    \
    }
#define PML_MARKS_FORECAST                                                                                             \
    .marks = PML_PORT_MARKS, .decoder_marks = PML_PORT_DECODER_MARKS, .n_marks = "n_time_features",                    \
    .label_length = "label_length"

/* Research code's names for them; rows of a schema's `aliases`. */
#define PML_SERIES_ALIASES                                                                                             \
    {"x", PML_PORT_VALUES}, {"x_enc", PML_PORT_VALUES}, {"x_mark", PML_PORT_MARKS}, {"x_mark_enc", PML_PORT_MARKS},    \
        {"x_mark_dec", PML_PORT_DECODER_MARKS}, {                                                                      \
        "y", PML_PORT_FORECAST                                                                                         \
    }

#endif
