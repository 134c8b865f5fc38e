/* Names of ports that all forecasting families share, so that one call runs each of them. */
#ifndef PML_RUNTIME_SCHEMA_SERIES_PORTS_H
#define PML_RUNTIME_SCHEMA_SERIES_PORTS_H

#include "runtime/schema/schema.h"

#define PML_PORT_VALUES "past_values" /* [B, look-back, C] */
#define PML_PORT_MARKS "past_marks"   /* [B, look-back, n_marks]: time marks of the look-back */
#define PML_PORT_DECODER_MARKS                                                                                         \
    "decoder_marks" /* [B, label_length + horizon, n_marks]: its last steps and the horizon */
#define PML_PORT_FORECAST "prediction_outputs" /* [B, horizon, C] */

/* Of a family that takes time marks: rows of its `config` and of its `derived`, which give `n_marks`. The marks of a
 * date are runtime/series/time_marks.h's business. */
#define PML_MARKS_CONFIG                                                                                               \
    {.name = "time_marks",                                                                                             \
     .type = PML_CONFIG_CHOICE,                                                                                        \
     .choices = "none|timef|fixed|learned",                                                                            \
     .description = "what is told of each step's date: numbers in a range; integers that a fixed or a learned table "  \
                    "turns into features"},                                                                            \
    {                                                                                                                  \
        .name = "marks_frequency", .type = PML_CONFIG_CHOICE, .choices = "s|t|h|d|b|w|m|q|a", .optional = true,        \
        .description = "which numbers those are: of seconds, minutes, hours, days, workdays, weeks, months, quarters " \
                       "or years",                                                                                     \
        .absent = "h"                                                                                                  \
    }
#define PML_MARKS_DERIVED                                                                                              \
    {                                                                                                                  \
        "n_marks", "time_marks == 'none' ? 0"                                                                          \
                   " : time_marks != 'timef' ? (marks_frequency == 't' ? 5 : 4)"                                       \
                   " : marks_frequency == 's'                            ? 6"                                          \
                   " : marks_frequency == 't'                            ? 5"                                          \
                   " : marks_frequency == 'h'                            ? 4"                                          \
                   " : marks_frequency == 'd' || marks_frequency == 'b'  ? 3"                                          \
                   " : marks_frequency == 'w'                            ? 2 : 1"                                      \
    }

/* Research code's names for them; rows of a schema's `aliases`. */
#define PML_SERIES_ALIASES                                                                                             \
    {"x", PML_PORT_VALUES}, {"x_enc", PML_PORT_VALUES}, {"x_mark", PML_PORT_MARKS}, {"x_mark_enc", PML_PORT_MARKS},    \
        {"x_mark_dec", PML_PORT_DECODER_MARKS}, {                                                                      \
        "y", PML_PORT_FORECAST                                                                                         \
    }

#endif
