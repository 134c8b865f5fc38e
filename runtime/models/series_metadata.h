/* What a file's metadata say about the series that its model was fitted on. */
#ifndef PML_RUNTIME_MODELS_SERIES_METADATA_H
#define PML_RUNTIME_MODELS_SERIES_METADATA_H

#include "runtime/file/metadata.h"

typedef struct pml_series_state { /* views into the metadata */
    const char *const *columns;   /* [n_columns]; NULL: the file names none */
    size_t n_columns;
    const double *mean, *std; /* [n_scaled]; NULL: the file has no scaler */
    size_t n_scaled;
    const char *frequency; /* NULL: not known */
} pml_series_state;

/* Errors: CONFIG (wrong types, lengths that differ, a deviation that is not a positive number). */
pml_status pml_series_state_get(const pml_metadata *metadata, pml_series_state *state,
                                pml_error *error) PML_WARN_UNUSED;

#endif
