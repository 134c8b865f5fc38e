#include "runtime/tune/study_log.h"

#include <string.h>
#include <time.h>

#include "runtime/base/alloc.h"

enum {
    MOST_STUDIES = 65536,
    MOST_TRIALS = 1 << 24,
    MOST_REPORTS = 1 << 17,
    MOST_NAMES = 4096,
    RECENT = 16,
    MOST_DISTRIBUTIONS = 1 << 24
};

struct pml_known_distributions {
    pml_distribution **items;
    size_t count, capacity;
};

int64_t pml_study_now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- names and distributions: one pointer each ---- */
static pml_status intern(pml_study_log *log, pml_record_parameter *p, pml_trial_parameter *out, pml_error *error) {
    pml_status status = PML_OK;
    size_t i_name = 0;
    bool is_new = false;
    pml_distribution *kept = NULL;
    PML_TRY(pml_names_add(&log->names, p->name, strlen(p->name), MOST_NAMES, "names of parameters", &i_name, &is_new,
                          error));
    const size_t had = log->distribution_capacity;
    PML_TRY(pml_grow(&log->distributions, &log->distribution_capacity, i_name + 1, sizeof *log->distributions,
                     MOST_NAMES, "names of parameters", error));
    memset(log->distributions + had, 0, (log->distribution_capacity - had) * sizeof *log->distributions);
    struct pml_known_distributions *known = &log->distributions[i_name];
    for (size_t i = known->count; i > 0 && known->count - i < RECENT && kept == NULL; i--) {
        kept = pml_distribution_equal(known->items[i - 1], &p->distribution) ? known->items[i - 1] : NULL;
    }
    if (kept == NULL) {
        PML_TRY(pml_grow(&known->items, &known->capacity, known->count + 1, sizeof *known->items, MOST_DISTRIBUTIONS,
                         "distributions", error));
        PML_TRY(pml_alloc(1, sizeof *kept, &kept, error));
        *kept = p->distribution;
        p->distribution = (pml_distribution){0};
        known->items[known->count++] = kept;
    }
    *out = (pml_trial_parameter){pml_names_at(&log->names, i_name), kept, p->value};
done:
    return status;
}

/* What the study's first parameter of that name was; remembers this one where there was none. */
static pml_status first_of(pml_study_entry *study, const pml_trial_parameter *p, const pml_distribution **first,
                           pml_error *error) {
    for (size_t i = 0; i < study->n_first; i++) {
        if (study->first[i].name == p->name) {
            *first = study->first[i].distribution;
            return PML_OK;
        }
    }
    const pml_status status = pml_grow(&study->first, &study->first_capacity, study->n_first + 1, sizeof *study->first,
                                       MOST_NAMES, "names of parameters", error);
    if (status == PML_OK) {
        study->first[study->n_first++] = *p;
        *first = p->distribution;
    }
    return status;
}

static pml_status put_parameter(pml_trial *trial, const pml_trial_parameter *p, pml_error *error) {
    for (size_t i = 0; i < trial->n_parameters; i++) {
        if (trial->parameters[i].name == p->name) {
            trial->parameters[i] = *p;
            return PML_OK;
        }
    }
    const pml_status status = pml_grow(&trial->parameters, &trial->parameter_capacity, trial->n_parameters + 1,
                                       sizeof *trial->parameters, MOST_NAMES, "parameters", error);
    if (status == PML_OK) {
        trial->parameters[trial->n_parameters++] = *p;
    }
    return status;
}

static pml_status put_report(pml_trial *trial, pml_trial_report report, pml_error *error) {
    /* Steps mostly come in order: a new greatest one needs no search. */
    const bool is_greatest = trial->n_reports == 0 || report.step > trial->greatest_step;
    for (size_t i = 0; !is_greatest && i < trial->n_reports; i++) {
        if (trial->reports[i].step == report.step) {
            trial->reports[i].value = report.value;
            return PML_OK;
        }
    }
    const pml_status status = pml_grow(&trial->reports, &trial->report_capacity, trial->n_reports + 1,
                                       sizeof *trial->reports, MOST_REPORTS, "intermediate values", error);
    if (status == PML_OK) {
        trial->reports[trial->n_reports++] = report;
        trial->greatest_step = is_greatest ? report.step : trial->greatest_step;
    }
    return status;
}

static pml_status move_attributes(pml_attributes *to, pml_attributes *from, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < from->count && status == PML_OK; i++) {
        status = pml_attributes_put(to, from->items[i].key, from->items[i].json, error);
        from->items[i] = (pml_trial_attribute){NULL, NULL};
    }
    return status;
}

/* ---- studies ---- */
size_t pml_study_log_find(const pml_study_log *log, const char *name) {
    for (size_t i = 0; i < log->n_studies; i++) {
        if (!log->studies[i].is_deleted && strcmp(log->studies[i].name, name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static pml_status create_study(pml_study_log *log, pml_journal_record *record, pml_error *error) {
    pml_status status = PML_OK;
    if (pml_study_log_find(log, record->study_name) != SIZE_MAX) {
        goto done;
    }
    PML_TRY(pml_grow(&log->studies, &log->study_capacity, log->n_studies + 1, sizeof *log->studies, MOST_STUDIES,
                     "studies", error));
    log->studies[log->n_studies++] = (pml_study_entry){
        .name = record->study_name,
        .direction = record->directions[0] == PML_STUDY_MAXIMIZE ? PML_STUDY_MAXIMIZE : PML_STUDY_MINIMIZE,
        .n_directions = record->n_directions};
    record->study_name = NULL;
done:
    return status;
}

/* ---- trials ---- */
static void end_search(pml_trial *trial) {
    if (trial->search != NULL) {
        pml_free(trial->search->joint);
        pml_free(trial->search);
        trial->search = NULL;
    }
}

static void destroy_trial(pml_trial *trial) {
    if (trial != NULL) {
        pml_attributes_deinit(&trial->user);
        pml_attributes_deinit(&trial->system);
        pml_free(trial->parameters);
        pml_free(trial->reports);
        pml_free(trial->worker);
        end_search(trial);
        pml_free(trial);
    }
}

static pml_status fill_trial(pml_study_log *log, pml_study_entry *study, pml_journal_record *record, pml_trial *trial,
                             pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < record->n_parameters; i++) {
        pml_trial_parameter p;
        const pml_distribution *first;
        PML_TRY(intern(log, &record->parameters[i], &p, error));
        PML_TRY(first_of(study, &p, &first, error));
        PML_TRY(put_parameter(trial, &p, error));
    }
    for (size_t i = 0; i < record->n_reports; i++) {
        PML_TRY(put_report(trial, record->reports[i], error));
    }
    PML_TRY(move_attributes(&trial->user, &record->user, error));
    PML_TRY(move_attributes(&trial->system, &record->system, error));
    trial->state = record->has_state ? (pml_trial_state)record->state : PML_TRIAL_RUNNING;
    trial->has_value = record->n_values > 0;
    trial->value = record->value;
    memcpy(trial->started, record->started, sizeof trial->started);
    memcpy(trial->completed, record->completed, sizeof trial->completed);
done:
    return status;
}

static pml_status create_trial(pml_study_log *log, pml_journal_record *record, pml_error *error) {
    pml_status status = PML_OK;
    pml_trial *trial = NULL;
    if (record->study_id >= log->n_studies || log->studies[record->study_id].is_deleted) {
        goto done;
    }
    pml_study_entry *study = &log->studies[record->study_id];
    PML_TRY(pml_grow(&log->trials, &log->trial_capacity, log->n_trials + 1, sizeof *log->trials, MOST_TRIALS, "trials",
                     error));
    PML_TRY(pml_grow(&study->trials, &study->trial_capacity, study->n_trials + 1, sizeof *study->trials, MOST_TRIALS,
                     "trials", error));
    PML_TRY(pml_alloc(1, sizeof *trial, &trial, error));
    PML_TRY(fill_trial(log, study, record, trial, error));
    trial->id = log->n_trials;
    trial->number = study->n_trials;
    trial->touched_ms = pml_study_now_ms();
    if (log->worker != NULL && strcmp(record->worker, log->worker) == 0) {
        log->mine = trial;
    }
    if (trial->state == PML_TRIAL_RUNNING) {
        trial->worker = record->worker;
        record->worker = NULL;
    }
    log->trials[log->n_trials++] = (pml_trial_place){(size_t)record->study_id, trial};
    study->trials[study->n_trials++] = trial;
    trial = NULL;
done:
    destroy_trial(trial);
    return status;
}

static pml_status set_parameter(pml_study_log *log, pml_study_entry *study, pml_trial *trial,
                                pml_journal_record *record, pml_error *error) {
    pml_status status = PML_OK;
    pml_trial_parameter p;
    const pml_distribution *first;
    PML_TRY(intern(log, &record->parameters[0], &p, error));
    PML_TRY(first_of(study, &p, &first, error));
    if (pml_distribution_compatible(first, p.distribution)) {
        PML_TRY(put_parameter(trial, &p, error));
    }
done:
    return status;
}

static void set_state(pml_trial *trial, pml_journal_record *record) {
    const pml_trial_state state = (pml_trial_state)record->state;
    if (state == PML_TRIAL_RUNNING && trial->state == PML_TRIAL_RUNNING) {
        return; /* somebody else was first */
    }
    trial->state = state;
    if (state == PML_TRIAL_RUNNING) {
        pml_free(trial->worker);
        trial->worker = record->worker;
        record->worker = NULL;
        memcpy(trial->started, record->started, sizeof trial->started);
    }
    if (pml_trial_is_finished(trial)) {
        memcpy(trial->completed, record->completed, sizeof trial->completed);
        end_search(trial);
    }
    if (record->n_values > 0) {
        trial->has_value = true;
        trial->value = record->value;
    }
}

static pml_status change_trial(pml_study_log *log, pml_journal_record *record, pml_error *error) {
    pml_trial *trial = record->trial_id < log->n_trials ? log->trials[record->trial_id].trial : NULL;
    if (trial == NULL || pml_trial_is_finished(trial)) {
        return PML_OK;
    }
    trial->touched_ms = pml_study_now_ms();
    switch (record->op) {
    case PML_JOURNAL_PARAMETER:
        return set_parameter(log, &log->studies[log->trials[record->trial_id].i_study], trial, record, error);
    case PML_JOURNAL_STATE:
        set_state(trial, record);
        return PML_OK;
    case PML_JOURNAL_REPORT:
        return put_report(trial, record->reports[0], error);
    case PML_JOURNAL_USER_ATTRIBUTE:
        return move_attributes(&trial->user, &record->user, error);
    default:
        return move_attributes(&trial->system, &record->system, error);
    }
}

static pml_status change_study(pml_study_log *log, pml_journal_record *record, pml_error *error) {
    pml_study_entry *study = record->study_id < log->n_studies ? &log->studies[record->study_id] : NULL;
    if (study == NULL || study->is_deleted) {
        return PML_OK;
    }
    if (record->op == PML_JOURNAL_DELETE_STUDY) {
        study->is_deleted = true;
        return PML_OK;
    }
    return record->op == PML_JOURNAL_STUDY_USER_ATTRIBUTE ? move_attributes(&study->user, &record->user, error)
                                                          : move_attributes(&study->system, &record->system, error);
}

pml_status pml_study_log_apply(pml_study_log *log, pml_journal_record *record, pml_error *error) {
    switch (record->op) {
    case PML_JOURNAL_CREATE_STUDY:
        return create_study(log, record, error);
    case PML_JOURNAL_DELETE_STUDY:
    case PML_JOURNAL_STUDY_USER_ATTRIBUTE:
    case PML_JOURNAL_STUDY_SYSTEM_ATTRIBUTE:
        return change_study(log, record, error);
    case PML_JOURNAL_CREATE_TRIAL:
        return create_trial(log, record, error);
    case PML_JOURNAL_DISCARD:
        return PML_OK; /* no trial of Optuna's own storage is ever discarded */
    default:
        return change_trial(log, record, error);
    }
}

void pml_study_log_deinit(pml_study_log *log) {
    for (size_t i = 0; i < log->n_studies; i++) {
        pml_study_entry *study = &log->studies[i];
        pml_free(study->name);
        pml_free(study->trials);
        pml_free(study->first);
        pml_attributes_deinit(&study->user);
        pml_attributes_deinit(&study->system);
    }
    for (size_t i = 0; i < log->n_trials; i++) {
        destroy_trial(log->trials[i].trial);
    }
    for (size_t i = 0; i < log->distribution_capacity; i++) {
        for (size_t j = 0; j < log->distributions[i].count; j++) {
            pml_distribution_deinit(log->distributions[i].items[j]);
            pml_free(log->distributions[i].items[j]);
        }
        pml_free(log->distributions[i].items);
    }
    pml_free(log->distributions);
    pml_free(log->studies);
    pml_free(log->trials);
    pml_names_deinit(&log->names);
    *log = (pml_study_log){0};
}
