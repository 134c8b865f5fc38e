/* What a training run has logged so far: the one copy that every form of log is written from. */
#ifndef PML_RUNTIME_TRAIN_LOGS_LOG_HISTORY_H
#define PML_RUNTIME_TRAIN_LOGS_LOG_HISTORY_H

#include "runtime/base/names.h"

typedef struct pml_log_value {
    const char *name; /* as Hugging Face names them: loss, learning_rate, grad_norm, eval_loss, eval_... */
    double value;     /* any, NaN and infinities too */
} pml_log_value;

typedef struct pml_log_record { /* what is known at a step */
    uint64_t step;
    double epoch; /* with fraction */
    const pml_log_value *values;
    size_t n_values;
} pml_log_record;

typedef struct pml_log_entry { /* private */
    uint64_t step;
    double epoch;
    size_t first_value, n_values;
} pml_log_entry;

typedef struct pml_log_history { /* all zero = empty, safe to deinit */
    pml_names names;             /* of values, in the order in which they first came */
    pml_log_entry *entries;
    size_t n_entries, entries_capacity;
    pml_log_value *values;
    size_t n_values, values_capacity;
} pml_log_history;

/* Adds a copy. Errors: ARGUMENT (a name twice, "step", "epoch" or ""; more than PML_MAX_LOG_VALUES), FORMAT (more than
 * PML_MAX_LOG_RECORDS), MEMORY; the history is then unchanged, but for names. */
pml_status pml_log_history_add(pml_log_history *history, const pml_log_record *record,
                               pml_error *error) PML_WARN_UNUSED;
/* The i-th record, valid until the next addition; its names until deinit. */
pml_log_record pml_log_history_at(const pml_log_history *history, size_t i_record);
/* The value of that name in a record; false when it has none. */
bool pml_log_record_find(const pml_log_record *record, const char *name, double *value);
/* Adds the records of a log.csv. Errors: FORMAT (file, line, column, cause), MEMORY. */
pml_status pml_log_history_parse(const char *bytes, size_t size_bytes, const char *file_name, pml_log_history *history,
                                 pml_error *error) PML_WARN_UNUSED;
void pml_log_history_deinit(pml_log_history *history);

#endif
