/* A trial under way: suggestions, reports, its end. */
#include <math.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/tune/study_private.h"

/* ---- suggestions ---- */
/* A value that the trial was enqueued with (Optuna's `enqueue_trial`). */
static pml_status find_fixed(const pml_study *study, const pml_trial *trial, const char *name,
                             const pml_distribution *d, double *value, bool *found, pml_error *error) {
    pml_status status = PML_OK;
    const char *json = pml_attributes_find(&trial->system, "fixed_params");
    pml_json_reader r;
    pml_choice choice = {0};
    pml_json_reader_init(&r, json, json != NULL ? strlen(json) : 0, 0, pml_journal_name(study->journal),
                         PML_MAX_CONFIG_BYTES);
    r.has_python_numbers = true;
    if (json == NULL) {
        goto done;
    }
    PML_TRY(pml_json_expect(&r, PML_JSON_OBJECT_BEGIN, "an object", error));
    for (;;) {
        PML_TRY(pml_json_next(&r, error));
        if (r.token == PML_JSON_OBJECT_END) {
            break;
        }
        if (strcmp(r.text, name) != 0) {
            PML_TRY(pml_json_skip(&r, error));
            continue;
        }
        PML_TRY(pml_json_next(&r, error));
        *value = r.number;
        *found = r.token == PML_JSON_NUMBER;
        if (d->kind == PML_DISTRIBUTION_CATEGORICAL) {
            pml_choice_deinit(&choice);
            PML_TRY(pml_choice_read(&r, &choice, error));
            *value = (double)pml_distribution_find(d, &choice);
            *found = true;
        }
    }
    if (*found && !pml_distribution_contains(d, *value)) {
        pml_quoted quoted;
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "trial %llu was enqueued with a value of %s that it cannot have",
                         (unsigned long long)trial->number, pml_quote(&quoted, name)));
    }
done:
    pml_choice_deinit(&choice);
    pml_json_reader_deinit(&r);
    return status;
}

static pml_status join(pml_study *study, pml_trial *trial, const pml_study_view *view, pml_error *error) {
    pml_joint joint = {0};
    pml_status status = PML_OK;
    if (study->sampler->draw_joint != NULL) {
        status = study->sampler->draw_joint(view, &joint, error);
    }
    trial->search->joint = joint.items;
    trial->search->n_joint = joint.count;
    trial->search->is_joined = true;
    return status;
}

static pml_status draw(pml_study *study, pml_trial *trial, const char *name, const pml_distribution *d, double *value,
                       pml_error *error) {
    pml_status status = PML_OK;
    pml_study_view view;
    PML_TRY(pml_study_view_make(study, trial, &view, error));
    view.settings = &study->sampler_settings;
    view.random = &trial->search->random;
    if (!trial->search->is_joined) {
        PML_TRY(join(study, trial, &view, error));
    }
    for (size_t i = 0; i < trial->search->n_joint; i++) {
        const pml_trial_parameter *p = &trial->search->joint[i];
        if (strcmp(p->name, name) == 0 && pml_distribution_compatible(p->distribution, d) &&
            pml_distribution_contains(d, p->value)) {
            *value = p->value;
            goto done;
        }
    }
    PML_TRY(study->sampler->draw(&view, name, d, value, error));
done:
    return status;
}

static pml_status choose(pml_study *study, pml_trial *trial, const char *name, const pml_distribution *d, double *value,
                         pml_error *error) {
    bool found = false;
    const pml_status status = find_fixed(study, trial, name, d, value, &found, error);
    if (status != PML_OK || found) {
        return status;
    }
    if (pml_distribution_is_single(d)) {
        *value = d->kind == PML_DISTRIBUTION_CATEGORICAL ? 0 : d->low;
        return PML_OK;
    }
    return draw(study, trial, name, d, value, error);
}

static pml_status write_parameter(pml_study *study, const pml_trial *trial, const char *name, const pml_distribution *d,
                                  double value, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_writer *w = &study->writer;
    PML_TRY(pml_record_begin(study, PML_JOURNAL_PARAMETER, error));
    pml_json_u64(w, "trial_id", trial->id);
    pml_json_string(w, "param_name", name);
    if (d->kind == PML_DISTRIBUTION_CATEGORICAL) {
        pml_json_u64(w, "param_value_internal", (uint64_t)value);
    } else {
        pml_json_python_f64(w, "param_value_internal", value);
    }
    PML_TRY(pml_distribution_write(d, w, "distribution", error));
    pml_record_end(study);
done:
    return status;
}

/* Another trial must not know the name as something else. */
static pml_status check_compatible(const pml_study *study, const char *name, const pml_distribution *d,
                                   pml_error *error) {
    pml_quoted quoted;
    const pml_study_entry *entry = pml_study_entry_of(study);
    for (size_t i = 0; i < entry->n_first; i++) {
        if (strcmp(entry->first[i].name, name) == 0 && !pml_distribution_compatible(entry->first[i].distribution, d)) {
            return PML_FAIL(error, PML_E_CONFIG,
                            "the study knows the parameter %s as something else: its kind, logarithm and choices stay",
                            pml_quote(&quoted, name));
        }
    }
    return PML_OK;
}

/* As pml_study_suggest, but the record is not appended yet. */
static pml_status suggest(pml_study *study, const pml_trial *trial, const char *name, const pml_distribution *given,
                          double *value, pml_error *error) {
    pml_status status = PML_OK;
    pml_trial *own = NULL;
    pml_distribution d = *given; /* its choices are borrowed */
    PML_TRY(pml_study_running(study, trial, &own, error));
    PML_TRY(pml_distribution_check(&d, error));
    const pml_trial_parameter *there = pml_trial_find(own, name);
    if (own->search == NULL && there == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "trial %llu belongs to another process",
                         (unsigned long long)trial->number));
    }
    PML_TRY(check_compatible(study, name, &d, error));
    if (there != NULL) {
        *value = there->value;
        goto done;
    }
    PML_TRY(choose(study, own, name, &d, value, error));
    PML_TRY(write_parameter(study, own, name, &d, *value, error));
done:
    return status;
}

pml_status pml_study_suggest(pml_study *study, const pml_trial *trial, const char *name,
                             const pml_distribution *distribution, double *value, pml_error *error) {
    pml_status status = PML_OK;
    double chosen = 0;
    PML_TRY(suggest(study, trial, name, distribution, &chosen, error));
    PML_TRY(pml_records_append(study, error));
    *value = chosen;
done:
    if (status != PML_OK) {
        pml_records_forget(study);
    }
    return status;
}

pml_status pml_study_suggest_float(pml_study *study, const pml_trial *trial, const char *name, double low, double high,
                                   double step, bool log, double *value, pml_error *error) {
    const pml_distribution d = {.kind = PML_DISTRIBUTION_FLOAT, .low = low, .high = high, .step = step, .log = log};
    return pml_study_suggest(study, trial, name, &d, value, error);
}

pml_status pml_study_suggest_int(pml_study *study, const pml_trial *trial, const char *name, int64_t low, int64_t high,
                                 int64_t step, bool log, int64_t *value, pml_error *error) {
    const pml_distribution d = {
        .kind = PML_DISTRIBUTION_INT, .low = (double)low, .high = (double)high, .step = (double)step, .log = log};
    double chosen = 0;
    const pml_status status = pml_study_suggest(study, trial, name, &d, &chosen, error);
    if (status == PML_OK) {
        *value = (int64_t)chosen;
    }
    return status;
}

pml_status pml_study_suggest_choice(pml_study *study, const pml_trial *trial, const char *name,
                                    const char *const *choices, size_t n_choices, size_t *i_choice, pml_error *error) {
    pml_status status = PML_OK;
    pml_distribution d = {.kind = PML_DISTRIBUTION_CATEGORICAL};
    double chosen = 0;
    PML_TRY(pml_alloc(n_choices, sizeof *d.choices, &d.choices, error));
    for (; d.n_choices < n_choices; d.n_choices++) {
        pml_choice *choice = &d.choices[d.n_choices];
        choice->kind = PML_CHOICE_TEXT;
        PML_TRY(pml_string_copy(choices[d.n_choices], strlen(choices[d.n_choices]), &choice->text, error));
    }
    PML_TRY(pml_study_suggest(study, trial, name, &d, &chosen, error));
    *i_choice = (size_t)chosen;
done:
    pml_distribution_deinit(&d);
    return status;
}

pml_status pml_study_suggest_space(pml_study *study, const pml_trial *trial, double *values, pml_error *error) {
    pml_status status = PML_OK;
    if (study->space == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "no space was declared"));
    }
    for (size_t i = 0; i < study->space->n_parameters; i++) {
        const pml_space_parameter *p = &study->space->parameters[i];
        values[i] = NAN;
        if (pml_space_is_active(study->space, i, values)) {
            PML_TRY(suggest(study, trial, p->name, &p->distribution, &values[i], error));
        }
    }
    PML_TRY(pml_records_append(study, error));
done:
    if (status != PML_OK) {
        pml_records_forget(study);
    }
    return status;
}

/* ---- reports ---- */
pml_status pml_study_report(pml_study *study, const pml_trial *trial, int64_t step, double value, pml_error *error) {
    pml_status status = PML_OK;
    pml_trial *own = NULL;
    PML_TRY(pml_study_running(study, trial, &own, error));
    if (step < 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a step is not negative"));
    }
    PML_TRY(pml_record_begin(study, PML_JOURNAL_REPORT, error));
    pml_json_u64(&study->writer, "trial_id", trial->id);
    pml_json_i64(&study->writer, "step", step);
    pml_json_python_f64(&study->writer, "intermediate_value", value);
    pml_record_end(study);
    PML_TRY(pml_records_append(study, error));
done:
    return status;
}

static pml_status write_rungs(pml_study *study, const pml_trial *trial, const pml_verdict *verdict, pml_error *error) {
    pml_status status = PML_OK;
    for (unsigned i = 0; i < verdict->n_rungs; i++) {
        char key[32], number[PML_F64_TEXT_BYTES];
        (void)snprintf(key, sizeof key, "completed_rung_%u", verdict->first_rung + i);
        const double value = verdict->rung_value;
        const char *text = isinf(value) ? (value > 0 ? "Infinity" : "-Infinity") : pml_f64_text(value, number);
        PML_TRY(pml_record_system(study, trial->id, key, text, error));
    }
    PML_TRY(pml_records_append(study, error));
done:
    return status;
}

pml_status pml_study_should_prune(pml_study *study, const pml_trial *trial, bool *prune, pml_error *error) {
    pml_status status = PML_OK;
    pml_trial *own = NULL;
    pml_study_view view;
    PML_TRY(pml_journal_sync(study->journal, error));
    PML_TRY(pml_study_running(study, trial, &own, error));
    PML_TRY(pml_study_view_make(study, own, &view, error));
    const pml_verdict verdict = study->pruner->judge(&view);
    PML_TRY(write_rungs(study, own, &verdict, error));
    *prune = verdict.prune;
done:
    return status;
}

pml_status pml_study_note(pml_study *study, const pml_trial *trial, const char *key, const char *text,
                          pml_error *error) {
    pml_status status = PML_OK;
    pml_trial *own = NULL;
    PML_TRY(pml_study_running(study, trial, &own, error));
    PML_TRY(pml_record_begin(study, PML_JOURNAL_USER_ATTRIBUTE, error));
    pml_json_u64(&study->writer, "trial_id", own->id);
    pml_json_begin_object(&study->writer, "user_attr");
    pml_json_string(&study->writer, key, text);
    pml_json_end_object(&study->writer);
    pml_record_end(study);
    PML_TRY(pml_records_append(study, error));
done:
    return status;
}

pml_status pml_study_tell(pml_study *study, const pml_trial *trial, pml_trial_state state, double value,
                          pml_error *error) {
    pml_status status = PML_OK;
    pml_trial *own = NULL;
    PML_TRY(pml_study_running(study, trial, &own, error));
    if (state != PML_TRIAL_COMPLETE && state != PML_TRIAL_PRUNED && state != PML_TRIAL_FAILED) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a trial ends complete, pruned or failed"));
    }
    bool has_value = state == PML_TRIAL_COMPLETE;
    if (state == PML_TRIAL_COMPLETE && isnan(value)) {
        state = PML_TRIAL_FAILED;
        has_value = false;
    }
    const pml_trial_report *last = state == PML_TRIAL_PRUNED ? pml_trial_last_report(own) : NULL;
    if (last != NULL && !isnan(last->value)) {
        has_value = true;
        value = last->value;
    }
    PML_TRY(pml_record_state(study, own->id, state, has_value, value, error));
    PML_TRY(pml_records_append(study, error));
    if (own->state != state) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "trial %llu was ended by another process",
                         (unsigned long long)own->number));
    }
done:
    return status;
}
