/* Trials whose workers were killed: each is failed, and a new one with the same parameters waits in its place, with the
 * attributes that Optuna's `RetryHeartbeatStaleTrialCallback` gives it. */
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/tune/study_private.h"

static bool is_lost(const pml_study *study, const pml_trial *trial) {
    if (trial->state != PML_TRIAL_RUNNING || trial->worker == NULL || strcmp(trial->worker, study->mark) == 0) {
        return false;
    }
    return pml_worker_has_ended(trial->worker) ||
           (study->stale_ms > 0 && pml_study_now_ms() - trial->touched_ms > (int64_t)study->stale_ms);
}

/* The numbers in "retry_history": how often, and which. */
static size_t write_history(pml_json_writer *w, const pml_trial *trial, bool writes) {
    const char *json = pml_attributes_find(&trial->system, "retry_history");
    pml_json_reader r;
    size_t n = 0;
    pml_json_reader_init(&r, json != NULL ? json : "[]", json != NULL ? strlen(json) : 2, 0, "retry_history", 16);
    while (pml_json_next(&r, NULL) == PML_OK && r.token != PML_JSON_END) {
        if (r.token == PML_JSON_NUMBER && r.is_u64) {
            n++;
            if (writes) {
                pml_json_u64(w, NULL, r.u64);
            }
        }
    }
    pml_json_reader_deinit(&r);
    return n;
}

/* What another run of the same trial must not inherit: how far this one came, and what it was about to try. */
static bool is_of_this_run(const char *key) {
    static const char *const begins[] = {"failed_trial", "retry_history", "completed_rung_", "tpe:relative_params"};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        if (strncmp(key, begins[i], strlen(begins[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void write_attributes(pml_study *study, const pml_trial *trial) {
    pml_json_writer *w = &study->writer;
    const char *first = pml_attributes_find(&trial->system, "failed_trial");
    pml_json_begin_object(w, "user_attrs");
    for (size_t i = 0; i < trial->user.count; i++) {
        pml_json_raw(w, trial->user.items[i].key, trial->user.items[i].json);
    }
    pml_json_end_object(w);
    pml_json_begin_object(w, "system_attrs");
    if (first != NULL) {
        pml_json_raw(w, "failed_trial", first);
    } else {
        pml_json_u64(w, "failed_trial", trial->number);
    }
    pml_json_begin_array(w, "retry_history");
    (void)write_history(w, trial, true);
    pml_json_u64(w, NULL, trial->number);
    pml_json_end_array(w);
    for (size_t i = 0; i < trial->system.count; i++) {
        if (!is_of_this_run(trial->system.items[i].key)) {
            pml_json_raw(w, trial->system.items[i].key, trial->system.items[i].json);
        }
    }
    pml_json_end_object(w);
}

static pml_status write_waiting(pml_study *study, const pml_trial *trial, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_writer *w = &study->writer;
    PML_TRY(pml_record_begin(study, PML_JOURNAL_CREATE_TRIAL, error));
    pml_json_u64(w, "study_id", study->i_study);
    pml_json_null(w, "datetime_start");
    pml_json_u64(w, "state", PML_TRIAL_WAITING);
    pml_json_null(w, "value");
    pml_json_null(w, "values");
    pml_json_begin_object(w, "distributions");
    for (size_t i = 0; i < trial->n_parameters; i++) {
        PML_TRY(pml_distribution_write(trial->parameters[i].distribution, w, trial->parameters[i].name, error));
    }
    pml_json_end_object(w);
    pml_json_begin_object(w, "params");
    for (size_t i = 0; i < trial->n_parameters; i++) {
        pml_json_python_f64(w, trial->parameters[i].name, trial->parameters[i].value);
    }
    pml_json_end_object(w);
    write_attributes(study, trial);
    pml_json_begin_object(w, "intermediate_values");
    pml_json_end_object(w);
    pml_record_end(study);
done:
    return status;
}

pml_status pml_study_retry(pml_study *study, pml_error *error) {
    pml_status status = PML_OK;
    /* New trials are appended while this runs; those are not lost. */
    const size_t n_trials = pml_study_entry_of(study)->n_trials;
    for (size_t i = 0; i < n_trials; i++) {
        const pml_trial *trial = pml_study_entry_of(study)->trials[i];
        if (!is_lost(study, trial)) {
            continue;
        }
        const bool again = write_history(NULL, trial, false) < study->max_retries;
        pml_log(PML_LOG_WARNING, "trial %llu lost its worker: it failed%s", (unsigned long long)trial->number,
                again ? " and will be tried again" : "");
        PML_TRY(pml_record_state(study, trial->id, PML_TRIAL_FAILED, false, 0, error));
        if (again) {
            PML_TRY(write_waiting(study, trial, error));
        }
        PML_TRY(pml_records_append(study, error));
    }
done:
    if (status != PML_OK) {
        pml_records_forget(study);
    }
    return status;
}
