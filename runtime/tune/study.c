#include "runtime/tune/study.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/tune/study_private.h"

#define DEFAULT_NAME "study"

static pml_status take_line(void *user, const char *line, size_t size_bytes, uint64_t number, pml_error *error) {
    pml_status status = PML_OK;
    pml_study *study = user;
    pml_journal_record record = {0};
    PML_TRY(pml_journal_record_read(line, size_bytes, pml_journal_name(study->journal), &record, error));
    PML_TRY(pml_study_log_apply(&study->log, &record, error));
done:
    pml_journal_record_deinit(&record);
    return status == PML_OK ? PML_OK : pml_error_prefix(error, status, "record %llu: ", (unsigned long long)number);
}

/* ---- opening ---- */
static size_t n_alive(const pml_study_log *log, size_t *i_study) {
    size_t n = 0;
    for (size_t i = 0; i < log->n_studies; i++) {
        if (!log->studies[i].is_deleted) {
            n++;
            *i_study = i;
        }
    }
    return n;
}

/* *i_study stays SIZE_MAX where there is none yet. */
static pml_status choose_study(const pml_study *study, const char *name, size_t *i_study, pml_error *error) {
    size_t only = SIZE_MAX;
    if (name != NULL) {
        *i_study = pml_study_log_find(&study->log, name);
        return PML_OK;
    }
    if (n_alive(&study->log, &only) > 1) {
        *i_study = pml_study_log_find(&study->log, DEFAULT_NAME);
        return *i_study != SIZE_MAX ? PML_OK
                                    : PML_FAIL(error, PML_E_ARGUMENT, "%s has several studies: name one of them",
                                               pml_journal_name(study->journal));
    }
    *i_study = only;
    return PML_OK;
}

static pml_status write_objective(pml_study *study, const char *objective, pml_error *error) {
    const pml_status status = pml_record_begin(study, PML_JOURNAL_STUDY_SYSTEM_ATTRIBUTE, error);
    if (status == PML_OK) {
        pml_json_u64(&study->writer, "study_id", study->i_study);
        pml_json_begin_object(&study->writer, "system_attr");
        pml_json_begin_array(&study->writer, "study:metric_names");
        pml_json_string(&study->writer, NULL, objective);
        pml_json_end_array(&study->writer);
        pml_json_end_object(&study->writer);
        pml_record_end(study);
    }
    return status;
}

static pml_status create_study(pml_study *study, const pml_study_options *options, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_record_begin(study, PML_JOURNAL_CREATE_STUDY, error));
    pml_json_string(&study->writer, "study_name", options->name != NULL ? options->name : DEFAULT_NAME);
    pml_json_begin_array(&study->writer, "directions");
    pml_json_u64(&study->writer, NULL, options->direction != 0 ? options->direction : PML_STUDY_MINIMIZE);
    pml_json_end_array(&study->writer);
    pml_record_end(study);
    PML_TRY(pml_records_append(study, error));
    PML_TRY(choose_study(study, options->name, &study->i_study, error));
done:
    return status;
}

/* The first text of the study's metric names. */
static pml_status read_objective(pml_study *study, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader r;
    const char *json = pml_attributes_find(&pml_study_entry_of(study)->system, "study:metric_names");
    json = json != NULL ? json : "null";
    pml_json_reader_init(&r, json, strlen(json), 0, pml_journal_name(study->journal), PML_MAX_CONFIG_BYTES);
    r.has_python_numbers = true;
    do {
        PML_TRY(pml_json_next(&r, error));
    } while (r.token == PML_JSON_ARRAY_BEGIN);
    const char *text = r.token == PML_JSON_STRING ? r.text : "value";
    pml_free(study->objective);
    study->objective = NULL;
    PML_TRY(pml_string_copy(text, strlen(text), &study->objective, error));
done:
    pml_json_reader_deinit(&r);
    return status;
}

/* Under the lock: nobody else makes the study meanwhile. */
static pml_status find_or_create(pml_study *study, const pml_study_options *options, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    PML_TRY(choose_study(study, options->name, &study->i_study, error));
    if (study->i_study == SIZE_MAX && options->must_exist) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "%s has no study%s%s", pml_journal_name(study->journal),
                         options->name != NULL ? " " : "",
                         options->name != NULL ? pml_quote(&quoted, options->name) : ""));
    }
    if (study->i_study == SIZE_MAX) {
        PML_TRY(create_study(study, options, error));
    }
    const pml_study_entry *entry = pml_study_entry_of(study);
    if (entry->n_directions > 1) {
        PML_TRY(
            PML_FAIL(error, PML_E_UNSUPPORTED, "the study %s has several objectives", pml_quote(&quoted, entry->name)));
    }
    if (options->direction != 0 && entry->direction != options->direction) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the study %s is to be %s", pml_quote(&quoted, entry->name),
                         entry->direction == PML_STUDY_MAXIMIZE ? "maximized" : "minimized"));
    }
    PML_TRY(read_objective(study, error));
    if (options->objective != NULL && strcmp(study->objective, options->objective) != 0) {
        PML_TRY(write_objective(study, options->objective, error));
        PML_TRY(pml_records_append(study, error));
        PML_TRY(read_objective(study, error));
    }
done:
    return status;
}

static pml_status take_settings(pml_study *study, const pml_study_options *options, pml_error *error) {
    pml_status status = PML_OK;
    study->sampler = options->sampler != NULL ? options->sampler : pml_trial_sampler_get("tpe");
    study->pruner = options->pruner != NULL ? options->pruner : pml_pruner_get("none");
    PML_TRY(pml_plugin_configure("sampler", &study->sampler->plugin, NULL, &study->sampler_settings, error));
    PML_TRY(pml_plugin_configure("pruner", &study->pruner->plugin, NULL, &study->pruner_settings, error));
    if (options->sampler_settings != NULL) {
        study->sampler_settings = *options->sampler_settings;
    }
    if (options->pruner_settings != NULL) {
        study->pruner_settings = *options->pruner_settings;
    }
    study->space = options->space;
    study->seed = options->seed;
    study->n_trials = options->n_trials;
    study->max_retries = options->max_retries;
    study->stale_ms = options->stale_ms;
done:
    return status;
}

pml_status pml_study_open(const pml_study_options *options, pml_study **study, pml_error *error) {
    pml_status status = PML_OK;
    pml_study *made = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->i_study = SIZE_MAX;
    PML_TRY(take_settings(made, options, error));
    if (made->sampler->needs_space && options->space == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the sampler %s needs a declared space", made->sampler->plugin.name));
    }
    PML_TRY(pml_worker_mark(made->mark, error));
    made->log.worker = made->mark;
    PML_TRY(pml_journal_open(options->path, options->must_exist, made->mark, take_line, made, &made->journal, error));
    if (options->must_exist) { /* only looks: needs no lock, and no place to write */
        PML_TRY(pml_journal_sync(made->journal, error));
        PML_TRY(find_or_create(made, options, error));
    } else {
        PML_TRY(pml_journal_lock_begin(made->journal, error));
        PML_TRY(find_or_create(made, options, error));
        pml_journal_lock_end(made->journal);
    }
    *study = made;
    made = NULL;
done:
    pml_study_close(made);
    return status;
}

void pml_study_close(pml_study *study) {
    if (study != NULL) {
        pml_records_forget(study);
        pml_journal_close(study->journal);
        pml_study_log_deinit(&study->log);
        pml_free(study->objective);
        pml_free(study->group);
        pml_free(study);
    }
}

pml_status pml_study_sync(pml_study *study, pml_error *error) {
    return pml_journal_sync(study->journal, error);
}

/* ---- what is known ---- */
const char *pml_study_name(const pml_study *study) {
    return pml_study_entry_of(study)->name;
}

pml_study_direction pml_study_direction_of(const pml_study *study) {
    return pml_study_entry_of(study)->direction;
}

const char *pml_study_objective(const pml_study *study) {
    return study->objective;
}

const pml_trial *const *pml_study_trials(const pml_study *study, size_t *n_trials) {
    *n_trials = pml_study_entry_of(study)->n_trials;
    return (const pml_trial *const *)pml_study_entry_of(study)->trials;
}

size_t pml_study_count(const pml_study *study, pml_trial_state state) {
    size_t n = 0, n_trials;
    const pml_trial *const *trials = pml_study_trials(study, &n_trials);
    for (size_t i = 0; i < n_trials; i++) {
        n += trials[i]->state == state;
    }
    return n;
}

const pml_trial *pml_study_best(const pml_study *study) {
    const pml_trial *best = NULL;
    size_t n_trials;
    const pml_trial *const *trials = pml_study_trials(study, &n_trials);
    const bool maximize = pml_study_direction_of(study) == PML_STUDY_MAXIMIZE;
    for (size_t i = 0; i < n_trials; i++) {
        const pml_trial *t = trials[i];
        if (t->state == PML_TRIAL_COMPLETE && t->has_value && !isnan(t->value) &&
            (best == NULL || (maximize ? t->value > best->value : t->value < best->value))) {
            best = t;
        }
    }
    return best;
}

/* ---- views ---- */
pml_status pml_study_view_make(pml_study *study, const pml_trial *trial, pml_study_view *view, pml_error *error) {
    pml_status status = PML_OK;
    const pml_study_entry *entry = pml_study_entry_of(study);
    *view = (pml_study_view){.study_name = entry->name,
                             .direction = entry->direction,
                             .all = (const pml_trial *const *)entry->trials,
                             .n_all = entry->n_trials,
                             .trial = trial,
                             .space = study->space,
                             .settings = &study->pruner_settings};
    view->trials = view->all;
    view->n_trials = view->n_all;
    if (study->pruner->group != NULL && entry->n_trials > 0) {
        const unsigned mine = study->pruner->group(view, trial->number);
        size_t n = 0;
        PML_TRY(pml_grow(&study->group, &study->group_capacity, entry->n_trials, sizeof *study->group, SIZE_MAX / 2,
                         "trials", error));
        for (size_t i = 0; i < entry->n_trials; i++) {
            if (study->pruner->group(view, i) == mine) {
                study->group[n++] = entry->trials[i];
            }
        }
        view->trials = study->group;
        view->n_trials = n;
    }
done:
    return status;
}

pml_status pml_study_running(pml_study *study, const pml_trial *trial, pml_trial **own, pml_error *error) {
    const pml_study_entry *entry = pml_study_entry_of(study);
    if (trial->number >= entry->n_trials || entry->trials[trial->number] != trial ||
        trial->state != PML_TRIAL_RUNNING) {
        return PML_FAIL(error, PML_E_ARGUMENT, "trial %llu is not running", (unsigned long long)trial->number);
    }
    *own = entry->trials[trial->number];
    return PML_OK;
}

/* ---- asking ---- */
static pml_status exhausted(pml_study *study, const pml_trial *next, bool *none, pml_error *error) {
    pml_study_view view;
    pml_random random = {.seed = study->seed, .stream = next->number};
    *none = false;
    if (study->sampler->is_exhausted == NULL) {
        return PML_OK;
    }
    pml_status status = pml_study_view_make(study, next, &view, error);
    view.settings = &study->sampler_settings;
    view.random = &random;
    return status == PML_OK ? study->sampler->is_exhausted(&view, none, error) : status;
}

pml_status pml_study_is_complete(const pml_study *study, bool *complete, pml_error *error) {
    size_t n_trials, n_retries = 0;
    const pml_trial *const *trials = pml_study_trials(study, &n_trials);
    for (size_t i = 0; i < n_trials; i++) {
        n_retries += pml_attributes_find(&trials[i]->system, "failed_trial") != NULL;
    }
    const size_t n_ended = pml_study_count(study, PML_TRIAL_COMPLETE) + pml_study_count(study, PML_TRIAL_PRUNED) +
                           pml_study_count(study, PML_TRIAL_FAILED);
    const size_t n_open = n_trials - n_ended;
    *complete = study->n_trials > 0 && n_ended - n_retries >= study->n_trials;
    if (*complete || n_open > 0) {
        return PML_OK;
    }
    const pml_trial next = {.number = n_trials};
    return exhausted((pml_study *)(uintptr_t)study, &next, complete, error); /* writes to its scratch only */
}

static const pml_trial *first_waiting(const pml_study *study) {
    const pml_study_entry *entry = pml_study_entry_of(study);
    for (size_t i = 0; i < entry->n_trials; i++) {
        if (entry->trials[i]->state == PML_TRIAL_WAITING) {
            return entry->trials[i];
        }
    }
    return NULL;
}

static pml_status begin_attribute(pml_study *study, const pml_trial *next, char **json, pml_error *error) {
    pml_study_view view;
    pml_random random = {.seed = study->seed, .stream = next->number};
    pml_status status = pml_study_view_make(study, next, &view, error);
    view.settings = &study->sampler_settings;
    view.random = &random;
    return status == PML_OK ? study->sampler->begin(&view, json, error) : status;
}

/* Under the lock. */
static pml_status create_trial(pml_study *study, pml_error *error) {
    pml_status status = PML_OK;
    char *json = NULL, now[PML_TRIAL_TIME_BYTES];
    const pml_trial next = {.number = pml_study_entry_of(study)->n_trials};
    if (study->sampler->begin != NULL) {
        PML_TRY(begin_attribute(study, &next, &json, error));
    }
    pml_record_time(now);
    PML_TRY(pml_record_begin(study, PML_JOURNAL_CREATE_TRIAL, error));
    pml_json_u64(&study->writer, "study_id", study->i_study);
    pml_json_string(&study->writer, "datetime_start", now);
    if (json != NULL) {
        pml_json_begin_object(&study->writer, "system_attrs");
        pml_json_raw(&study->writer, study->sampler->attribute, json);
        pml_json_end_object(&study->writer);
    }
    pml_record_end(study);
    PML_TRY(pml_records_append(study, error));
done:
    pml_free(json);
    return status;
}

static pml_status start(pml_study *study, pml_trial *trial, pml_error *error) {
    const pml_status status = pml_alloc(1, sizeof *trial->search, &trial->search, error);
    if (status == PML_OK) {
        trial->search->random = (pml_random){.seed = study->seed, .stream = trial->number};
    }
    return status;
}

/* Under the lock. */
static pml_status ask(pml_study *study, pml_trial **trial, pml_error *error) {
    pml_status status = PML_OK;
    bool none = false;
    PML_TRY(pml_study_retry(study, error));
    const pml_trial *waiting = first_waiting(study);
    if (waiting != NULL) {
        PML_TRY(pml_record_state(study, waiting->id, PML_TRIAL_RUNNING, false, 0, error));
        PML_TRY(pml_records_append(study, error));
        *trial = pml_study_entry_of(study)->trials[waiting->number];
        goto done;
    }
    const pml_trial next = {.number = pml_study_entry_of(study)->n_trials};
    PML_TRY(exhausted(study, &next, &none, error));
    if (!none) {
        PML_TRY(create_trial(study, error));
        *trial = study->log.mine;
    }
done:
    return status;
}

pml_status pml_study_ask(pml_study *study, const pml_trial **trial, pml_error *error) {
    pml_status status = PML_OK;
    pml_trial *asked = NULL;
    PML_TRY(pml_journal_lock_begin(study->journal, error));
    status = ask(study, &asked, error);
    pml_journal_lock_end(study->journal);
    PML_TRY(status);
    if (asked != NULL) {
        if (asked->state != PML_TRIAL_RUNNING || asked->search != NULL) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "the study was deleted by another process"));
        }
        PML_TRY(start(study, asked, error));
    }
    *trial = asked;
done:
    return status;
}
