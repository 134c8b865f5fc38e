/* What the parts of study.h share. */
#ifndef PML_RUNTIME_TUNE_STUDY_PRIVATE_H
#define PML_RUNTIME_TUNE_STUDY_PRIVATE_H

#include <stdio.h>

#include "runtime/tune/journal.h"
#include "runtime/tune/study.h"
#include "runtime/tune/study_log.h"
#include "runtime/tune/worker_mark.h"

struct pml_study {
    pml_journal *journal;
    pml_study_log log;
    size_t i_study;
    const pml_trial_sampler *sampler;
    const pml_pruner *pruner;
    pml_settings sampler_settings, pruner_settings;
    const pml_space *space;
    uint64_t seed, n_trials, max_retries, stale_ms;
    char *objective; /* as text; owned */
    char mark[PML_WORKER_MARK_BYTES];
    /* records that are not appended yet */
    FILE *stream;
    char *text;
    size_t size_bytes;
    pml_json_writer writer;
    /* trials of one group, for views */
    const pml_trial **group;
    size_t group_capacity;
};

static inline pml_study_entry *pml_study_entry_of(const pml_study *study) {
    return &study->log.studies[study->i_study];
}

/* ---- records (study_write.c) ---- */
/* Begins a record with its operation and worker; more members go through study->writer. Errors: MEMORY. */
pml_status pml_record_begin(pml_study *study, pml_journal_op op, pml_error *error) PML_WARN_UNUSED;
void pml_record_end(pml_study *study);
/* Appends what was written since the last time. Errors: as pml_journal_append; the records are then forgotten. */
pml_status pml_records_append(pml_study *study, pml_error *error) PML_WARN_UNUSED;
void pml_records_forget(pml_study *study);
/* Whole records, not appended yet. Errors: MEMORY. */
pml_status pml_record_state(pml_study *study, uint64_t trial_id, pml_trial_state state, bool has_value, double value,
                            pml_error *error) PML_WARN_UNUSED;
pml_status pml_record_system(pml_study *study, uint64_t trial_id, const char *key, const char *json,
                             pml_error *error) PML_WARN_UNUSED;
/* Now, as journals say it. */
void pml_record_time(char text[PML_TRIAL_TIME_BYTES]);

/* ---- trials of killed workers (study_retry.c) ---- */
/* Under the lock: fails them, and makes each wait again. */
pml_status pml_study_retry(pml_study *study, pml_error *error) PML_WARN_UNUSED;

/* ---- views (study.c) ---- */
/* `trial` has at least its number. Errors: MEMORY. */
pml_status pml_study_view_make(pml_study *study, const pml_trial *trial, pml_study_view *view,
                               pml_error *error) PML_WARN_UNUSED;
/* The trial as the study owns it, running. Errors: ARGUMENT. */
pml_status pml_study_running(pml_study *study, const pml_trial *trial, pml_trial **own,
                             pml_error *error) PML_WARN_UNUSED;

#endif
