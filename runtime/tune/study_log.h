/* What the records of a journal add up to: its studies and their trials. Records are applied as Optuna's
 * `JournalStorage` applies them, so that both see the same: one that comes too late (the trial is finished, the study
 * deleted, the name taken) changes nothing. */
#ifndef PML_RUNTIME_TUNE_STUDY_LOG_H
#define PML_RUNTIME_TUNE_STUDY_LOG_H

#include "runtime/base/names.h"
#include "runtime/tune/journal_record.h"

typedef struct pml_study_entry {
    char *name;
    pml_study_direction direction; /* of the first objective */
    size_t n_directions;
    bool is_deleted;
    pml_trial **trials; /* by number; each stays where it is */
    size_t n_trials, trial_capacity;
    pml_trial_parameter *first; /* what each name of this study was first said to be */
    size_t n_first, first_capacity;
    pml_attributes user, system;
} pml_study_entry;

typedef struct pml_trial_place {
    size_t i_study;
    pml_trial *trial;
} pml_trial_place;

typedef struct pml_study_log { /* zero = empty, safe to deinit */
    pml_study_entry *studies;
    size_t n_studies, study_capacity;
    pml_trial_place *trials; /* by id */
    size_t n_trials, trial_capacity;
    pml_names names;                               /* of parameters */
    struct pml_known_distributions *distributions; /* of each name */
    size_t distribution_capacity;
    pml_trial *mine; /* the last one that `worker` created */
    const char *worker;
} pml_study_log;

/* Applies a record, which gives parts of itself away; deinit it in any case. Errors: FORMAT (more than can be), MEMORY.
 */
pml_status pml_study_log_apply(pml_study_log *log, pml_journal_record *record, pml_error *error) PML_WARN_UNUSED;
/* The study of that name that is not deleted, or SIZE_MAX. */
size_t pml_study_log_find(const pml_study_log *log, const char *name);
void pml_study_log_deinit(pml_study_log *log);
/* Milliseconds of a clock that only goes forward. */
int64_t pml_study_now_ms(void);

#endif
