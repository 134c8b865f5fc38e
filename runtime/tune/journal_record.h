/* One line of a journal, read: what Optuna's operations may say, checked and owned. */
#ifndef PML_RUNTIME_TUNE_JOURNAL_RECORD_H
#define PML_RUNTIME_TUNE_JOURNAL_RECORD_H

#include "runtime/tune/trial.h"

typedef enum pml_journal_op { /* numbers of the journal */
                              PML_JOURNAL_CREATE_STUDY = 0,
                              PML_JOURNAL_DELETE_STUDY = 1,
                              PML_JOURNAL_STUDY_USER_ATTRIBUTE = 2,
                              PML_JOURNAL_STUDY_SYSTEM_ATTRIBUTE = 3,
                              PML_JOURNAL_CREATE_TRIAL = 4,
                              PML_JOURNAL_PARAMETER = 5,
                              PML_JOURNAL_STATE = 6,
                              PML_JOURNAL_REPORT = 7,
                              PML_JOURNAL_USER_ATTRIBUTE = 8,
                              PML_JOURNAL_SYSTEM_ATTRIBUTE = 9,
                              PML_JOURNAL_DISCARD = 10
} pml_journal_op;

typedef struct pml_record_parameter {
    char *name;
    double value;
    bool has_value, has_distribution;
    pml_distribution distribution;
} pml_record_parameter;

typedef struct pml_journal_record { /* members that its operation needs are there; zero = safe to deinit */
    uint64_t op;
    char *worker;
    uint64_t study_id, trial_id;
    bool has_study_id, has_trial_id;
    char *study_name;
    uint64_t directions[2]; /* the first of them */
    size_t n_directions;
    uint64_t state;
    bool has_state;
    double value; /* the first of values */
    size_t n_values;
    pml_record_parameter *parameters; /* CREATE_TRIAL: any number; PARAMETER: one */
    size_t n_parameters, parameter_capacity;
    pml_trial_report *reports; /* CREATE_TRIAL: any number; REPORT: one */
    size_t n_reports, report_capacity;
    pml_attributes user, system;
    char started[PML_TRIAL_TIME_BYTES], completed[PML_TRIAL_TIME_BYTES];
} pml_journal_record;

/* Every value lies in its distribution's range of indexes; a value outside a range of numbers is let through, as
 * Optuna does. Members that are not known are skipped. Errors: FORMAT (with the line in the message), UNSUPPORTED
 * (an operation that is not known), CONFIG (an impossible distribution), MEMORY. */
pml_status pml_journal_record_read(const char *line, size_t size_bytes, const char *file_name,
                                   pml_journal_record *record, pml_error *error) PML_WARN_UNUSED;
void pml_journal_record_deinit(pml_journal_record *record);

#endif
