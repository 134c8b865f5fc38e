#include "runtime/train/data/dataset.h"

#include <string.h>

#include "runtime/base/checked.h"

pml_status pml_dataset_fetch(const pml_dataset *dataset, size_t i_sample, const pml_data_key *key, void *const *values,
                             size_t *length, pml_error *error) {
    if (i_sample >= dataset->n_samples) {
        return PML_FAIL(error, PML_E_ARGUMENT, "there are %zu samples, and no sample %zu", dataset->n_samples,
                        i_sample);
    }
    return dataset->type->fetch(dataset, i_sample, key, values, length, error);
}

void pml_dataset_destroy(pml_dataset *dataset) {
    if (dataset != NULL) {
        dataset->type->destroy(dataset);
    }
}

const pml_data_field *pml_dataset_field(const pml_dataset *dataset, const char *name) {
    for (size_t f = 0; f < dataset->n_fields; f++) {
        if (strcmp(dataset->fields[f].name, name) == 0) {
            return &dataset->fields[f];
        }
    }
    return NULL;
}

pml_status pml_data_field_count(const pml_data_field *field, size_t *count, pml_error *error) {
    uint64_t sizes[PML_MAX_RANK], product = 0;
    for (size_t axis = 0; axis < field->rank; axis++) {
        sizes[axis] = field->shape[axis];
    }
    if (!pml_ck_product(sizes, field->rank, &product) || !pml_ck_size(product, count)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "a sample's field '%s' is too large", field->name);
    }
    return PML_OK;
}
