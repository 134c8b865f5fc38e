#include "runtime/models/series_metadata.h"

#include <math.h>

static pml_status get_numbers(const pml_metadata *metadata, const char *key, const double **values, size_t *count,
                              pml_error *error) {
    const pml_meta_entry *entry = pml_metadata_find(metadata, key);
    if (entry == NULL) {
        return PML_OK;
    }
    if (entry->type != PML_META_F64_ARRAY || entry->count == 0) {
        return PML_FAIL(error, PML_E_CONFIG, "metadata key %s must be a list of numbers", key);
    }
    for (uint64_t i = 0; i < entry->count; i++) {
        if (!isfinite(entry->value.f64s[i])) {
            return PML_FAIL(error, PML_E_CONFIG, "metadata key %s, element %llu is not finite", key,
                            (unsigned long long)i);
        }
    }
    *values = entry->value.f64s;
    *count = (size_t)entry->count;
    return PML_OK;
}

pml_status pml_series_state_get(const pml_metadata *metadata, pml_series_state *state, pml_error *error) {
    pml_status status = PML_OK;
    pml_series_state found = {0};
    size_t n_std = 0;
    const pml_meta_entry *columns = pml_metadata_find(metadata, "series.columns");
    if (columns != NULL && (columns->type != PML_META_STRING_ARRAY || columns->count == 0)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "metadata key series.columns must be a list of names"));
    }
    if (columns != NULL) {
        found.columns = columns->value.strings;
        found.n_columns = (size_t)columns->count;
    }
    PML_TRY(get_numbers(metadata, "series.mean", &found.mean, &found.n_scaled, error));
    PML_TRY(get_numbers(metadata, "series.std", &found.std, &n_std, error));
    if (n_std != found.n_scaled || (columns != NULL && n_std > 0 && n_std != found.n_columns)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "series.columns, series.mean and series.std differ in length"));
    }
    for (size_t i = 0; i < n_std; i++) {
        if (found.std[i] <= 0) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "series.std, element %zu must be greater than 0", i));
        }
    }
    const pml_meta_entry *frequency = pml_metadata_find(metadata, "series.frequency");
    if (frequency != NULL && frequency->type != PML_META_STRING) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "metadata key series.frequency must be text"));
    }
    found.frequency = frequency != NULL ? frequency->value.string : NULL;
    *state = found;
done:
    return status;
}
