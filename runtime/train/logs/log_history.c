#include "runtime/train/logs/log_history.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "runtime/base/quote.h"

static pml_status check(const pml_log_record *record, pml_error *error) {
    pml_quoted quoted;
    if (record->n_values > PML_MAX_LOG_VALUES) {
        return PML_FAIL(error, PML_E_ARGUMENT, "a record of a log has at most %u values, not %zu", PML_MAX_LOG_VALUES,
                        record->n_values);
    }
    for (size_t i = 0; i < record->n_values; i++) {
        const char *name = record->values[i].name;
        bool is_bad = name[0] == '\0' || strcmp(name, "step") == 0 || strcmp(name, "epoch") == 0;
        for (size_t k = 0; k < i && !is_bad; k++) {
            is_bad = strcmp(record->values[k].name, name) == 0;
        }
        if (is_bad) {
            return PML_FAIL(error, PML_E_ARGUMENT, "a record of a log may have no value %s, or not twice",
                            pml_quote(&quoted, name));
        }
    }
    return PML_OK;
}

pml_status pml_log_history_add(pml_log_history *h, const pml_log_record *record, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(check(record, error));
    PML_TRY(pml_grow(&h->entries, &h->entries_capacity, h->n_entries + 1, sizeof *h->entries, PML_MAX_LOG_RECORDS,
                     "records of a log", error));
    PML_TRY(pml_grow(&h->values, &h->values_capacity, h->n_values + record->n_values, sizeof *h->values, SIZE_MAX / 64,
                     "values of a log", error));
    for (size_t i = 0; i < record->n_values; i++) {
        const pml_log_value *v = &record->values[i];
        size_t i_name = 0;
        bool is_new = false;
        PML_TRY(pml_names_add(&h->names, v->name, strlen(v->name), PML_MAX_LOG_NAMES, "names in a log", &i_name,
                              &is_new, error));
        h->values[h->n_values + i] = (pml_log_value){pml_names_at(&h->names, i_name), v->value};
    }
    h->entries[h->n_entries++] = (pml_log_entry){record->step, record->epoch, h->n_values, record->n_values};
    h->n_values += record->n_values;
done:
    return status;
}

pml_log_record pml_log_history_at(const pml_log_history *h, size_t i_record) {
    const pml_log_entry *entry = &h->entries[i_record];
    const pml_log_value *values = entry->n_values > 0 ? h->values + entry->first_value : NULL;
    return (pml_log_record){entry->step, entry->epoch, values, entry->n_values};
}

bool pml_log_record_find(const pml_log_record *record, const char *name, double *value) {
    for (size_t i = 0; i < record->n_values; i++) {
        if (strcmp(record->values[i].name, name) == 0) {
            *value = record->values[i].value;
            return true;
        }
    }
    return false;
}

void pml_log_history_deinit(pml_log_history *h) {
    pml_names_deinit(&h->names);
    pml_free(h->entries);
    pml_free(h->values);
    *h = (pml_log_history){0};
}
