/* What a forecast needs beside weights, as "series.*" metadata: how the data was scaled, its columns, its step, how far
 * the model looks back and ahead.
 *
 *   series.scaler          "standard": standardised = (value - mean) / std
 *   series.mean, .std      one number per column
 *   series.columns         names, in the order of the model's channels
 *   series.frequency       such as "h"
 *   series.context_length  T, of families that forecast
 *   series.horizon         S */
#ifndef PML_CONVERT_SERIES_STATE_H
#define PML_CONVERT_SERIES_STATE_H

#include <cjson/cJSON.h>

#include "runtime/schema/schema.h"

typedef struct pml_series_source {
    /* {"kind": "standard", "mean": […], "std": […], "columns": […], "frequency": "h"}, or "kind": "none" without mean
     * and std; NULL: none. */
    const cJSON *scaler;
    const char *scaler_name; /* for messages */
    const char *frequency;   /* wins over the scaler's; NULL: not given */
    const char *columns;     /* "a,b,c", wins over the scaler's; NULL: not given */
} pml_series_source;

/* Adds the entries to `metadata`, which holds the canonical configuration already. Other keys of the scaler are left
 * aside. Errors: CONFIG (names the key: missing, wrong type or length, not finite, std not above 0, repeated column),
 * UNSUPPORTED (another kind of scaler), MEMORY. */
pml_status pml_series_state_read(const pml_series_source *source, const pml_schema *schema, pml_metadata *metadata,
                                 pml_error *error) PML_WARN_UNUSED;

#endif
