/* A data set of arrays in memory. */
#ifndef PML_RUNTIME_TRAIN_DATA_ARRAY_DATA_H
#define PML_RUNTIME_TRAIN_DATA_ARRAY_DATA_H

#include "runtime/train/data/dataset.h"

typedef struct pml_data_array { /* sample i is row i */
    const char *name;
    pml_dtype dtype; /* of whole bytes */
    const void *data;
    size_t rank; /* of a sample */
    size_t shape[PML_MAX_RANK];
} pml_data_array;

/* Names and data stay borrowed until destroy. Errors: ARGUMENT (no or too many arrays, sizes, dtype), MEMORY. */
pml_status pml_array_data_create(const pml_data_array *arrays, size_t n_arrays, size_t n_samples, pml_dataset **dataset,
                                 pml_error *error) PML_WARN_UNUSED;

#endif
