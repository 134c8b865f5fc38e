#include "runtime/train/data/array_data.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"

typedef struct array_data {
    pml_dataset dataset;
    const char *data[PML_MAX_DATA_FIELDS];
    size_t sample_bytes[PML_MAX_DATA_FIELDS];
} array_data;

static pml_status fetch(const pml_dataset *dataset, size_t i_sample, const pml_data_key *key, void *const *values,
                        size_t *length, pml_error *error) {
    const array_data *d = (const array_data *)dataset;
    (void)key, (void)length, (void)error;
    for (size_t f = 0; f < dataset->n_fields; f++) {
        memcpy(values[f], d->data[f] + i_sample * d->sample_bytes[f], d->sample_bytes[f]);
    }
    return PML_OK;
}

static void destroy(pml_dataset *dataset) {
    pml_free(dataset);
}

static pml_status take_array(array_data *d, size_t f, const pml_data_array *array, pml_error *error) {
    pml_status status = PML_OK;
    pml_data_field *field = &d->dataset.fields[f];
    size_t count = 0;
    uint64_t sample_bytes = 0, all_bytes = 0;
    const unsigned bits = pml_dtype_bits(array->dtype);
    if (array->rank >= PML_MAX_RANK || bits == 0 || bits % 8 != 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the array '%s' has %zu axes of %s", array->name, array->rank,
                         pml_dtype_name(array->dtype)));
    }
    *field = (pml_data_field){.name = array->name, .dtype = array->dtype, .rank = array->rank};
    memcpy(field->shape, array->shape, array->rank * sizeof array->shape[0]);
    PML_TRY(pml_data_field_count(field, &count, error));
    if (!pml_ck_mul(count, bits / 8, &sample_bytes) || !pml_ck_mul(sample_bytes, d->dataset.n_samples, &all_bytes) ||
        all_bytes > SIZE_MAX / 2) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the array '%s' is too large", array->name));
    }
    d->data[f] = array->data;
    d->sample_bytes[f] = (size_t)sample_bytes;
    d->dataset.digest = XXH3_64bits_withSeed(array->data, (size_t)all_bytes, d->dataset.digest);
done:
    return status;
}

pml_status pml_array_data_create(const pml_data_array *arrays, size_t n_arrays, size_t n_samples, pml_dataset **dataset,
                                 pml_error *error) {
    static const pml_dataset_type type = {fetch, destroy};
    pml_status status = PML_OK;
    array_data *made = NULL;
    *dataset = NULL;
    if (n_arrays == 0 || n_arrays > PML_MAX_DATA_FIELDS) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%zu arrays; there may be 1 to %u", n_arrays, PML_MAX_DATA_FIELDS));
    }
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->dataset = (pml_dataset){.type = &type, .n_samples = n_samples, .n_fields = n_arrays};
    for (size_t f = 0; f < n_arrays; f++) {
        PML_TRY(take_array(made, f, &arrays[f], error));
    }
    *dataset = &made->dataset;
    made = NULL;
done:
    pml_free(made);
    return status;
}
