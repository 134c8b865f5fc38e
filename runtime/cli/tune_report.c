/* What a search tells: notes on the way, a summary at the end, lists. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/cli/printable.h"
#include "runtime/cli/tune_parts.h"

/* ---- on the way ---- */
/* "NAME: VALUE, …" of a trial's parameters; cut where it is long. */
static void parameters_text(const pml_trial *trial, char *text, size_t room) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < trial->n_parameters && used < room; i++) {
        const pml_trial_parameter *p = &trial->parameters[i];
        char *value = NULL;
        if (pml_distribution_value_text(p->distribution, p->value, &value, NULL) != PML_OK) {
            return;
        }
        used += (size_t)snprintf(text + used, room - used, "%s%s: %s", i > 0 ? ", " : "", p->name, value);
        pml_free(value);
    }
}

static void tell(pml_search_watch *watch, const pml_study *study, const pml_trial *trial) {
    char parameters[400], text[800], number[PML_F64_TEXT_BYTES], best_number[PML_F64_TEXT_BYTES];
    const pml_trial *best = pml_study_best(study);
    const unsigned long long n = (unsigned long long)trial->number;
    parameters_text(trial, parameters, sizeof parameters);
    int used = 0;
    if (trial->state == PML_TRIAL_COMPLETE) {
        used = snprintf(text, sizeof text, "trial %llu finished with value: %s and parameters: {%s}.", n,
                        pml_f64_text(trial->value, number), parameters);
    } else {
        const char *cause = pml_attributes_find(&trial->user, "failure"); /* a JSON text, in its quotes */
        const bool failed = trial->state == PML_TRIAL_FAILED;
        used = snprintf(text, sizeof text, "trial %llu %s%s%.200s, parameters: {%s}.", n, failed ? "failed" : "pruned",
                        failed && cause != NULL ? ": " : "", failed && cause != NULL ? cause : "", parameters);
    }
    if (best != NULL && used > 0 && (size_t)used < sizeof text) {
        (void)snprintf(text + used, sizeof text - (size_t)used, " Best is trial %llu with value: %s.",
                       (unsigned long long)best->number, pml_f64_text(best->value, best_number));
    }
    char *safe = NULL;
    if (pml_printable_copy(text, strlen(text), &safe, NULL) == PML_OK) {
        pml_progress_note(watch->progress, safe);
    }
    pml_free(safe);
}

void pml_search_watch_update(pml_search_watch *watch, const pml_study *study) {
    size_t n_trials;
    const size_t had = watch->capacity;
    const pml_trial *const *trials = pml_study_trials(study, &n_trials);
    if (pml_grow(&watch->is_told, &watch->capacity, n_trials, sizeof *watch->is_told, SIZE_MAX / 2, "trials", NULL) !=
        PML_OK) {
        return; /* notes are no result */
    }
    if (watch->capacity > had) {
        memset(watch->is_told + had, 0, (watch->capacity - had) * sizeof *watch->is_told);
    }
    for (size_t i = 0; i < n_trials; i++) {
        if (!watch->is_told[i] && pml_trial_is_finished(trials[i])) {
            watch->is_told[i] = true;
            watch->n_told++;
            tell(watch, study, trials[i]);
        }
    }
    pml_progress_advance(watch->progress, watch->n_told);
}

void pml_search_watch_deinit(pml_search_watch *watch) {
    pml_progress_destroy(watch->progress);
    pml_free(watch->is_told);
    *watch = (pml_search_watch){0};
}

/* ---- trials as JSON ---- */
static void write_trial(const pml_trial *trial, pml_json_writer *w, const char *key) {
    pml_json_begin_object(w, key);
    pml_json_u64(w, "number", trial->number);
    pml_json_string(w, "state", pml_trial_state_name(trial->state));
    if (trial->has_value) {
        pml_json_f64(w, "value", trial->value);
    } else {
        pml_json_null(w, "value");
    }
    pml_json_begin_object(w, "params");
    for (size_t i = 0; i < trial->n_parameters; i++) {
        const pml_trial_parameter *p = &trial->parameters[i];
        pml_distribution_value_write(p->distribution, p->value, w, p->name);
    }
    pml_json_end_object(w);
    pml_json_begin_array(w, "intermediate_values");
    for (size_t i = 0; i < trial->n_reports; i++) {
        pml_json_begin_array(w, NULL);
        pml_json_i64(w, NULL, trial->reports[i].step);
        pml_json_f64(w, NULL, trial->reports[i].value);
        pml_json_end_array(w);
    }
    pml_json_end_array(w);
    pml_json_string(w, "datetime_start", trial->started[0] != '\0' ? trial->started : NULL);
    pml_json_string(w, "datetime_complete", trial->completed[0] != '\0' ? trial->completed : NULL);
    pml_json_end_object(w);
}

static pml_status print_summary_json(const pml_study *study, const char *storage, pml_error *error) {
    pml_json_writer w;
    const pml_trial *best = pml_study_best(study);
    size_t n_trials;
    (void)pml_study_trials(study, &n_trials);
    pml_json_writer_init(&w, stdout, false);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "study_name", pml_study_name(study));
    pml_json_string(&w, "objective", pml_study_objective(study));
    pml_json_string(&w, "direction", pml_study_direction_of(study) == PML_STUDY_MAXIMIZE ? "maximize" : "minimize");
    pml_json_string(&w, "storage", storage);
    pml_json_u64(&w, "n_trials", n_trials);
    for (unsigned i = 0; i < PML_TRIAL_STATES; i++) {
        const pml_trial_state state = (pml_trial_state)i;
        pml_json_u64(&w, pml_trial_state_name(state), pml_study_count(study, state));
    }
    if (best != NULL) {
        write_trial(best, &w, "best");
    } else {
        pml_json_null(&w, "best");
    }
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

/* Each as BEFORE NAME BETWEEN VALUE AFTER. */
static pml_status print_parameters(const pml_trial *trial, const char *before, const char *between, const char *after,
                                   pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < trial->n_parameters && status == PML_OK; i++) {
        const pml_trial_parameter *p = &trial->parameters[i];
        char *value = NULL;
        status = pml_distribution_value_text(p->distribution, p->value, &value, error);
        if (status == PML_OK) {
            (void)printf("%s", before);
            pml_printable_write(stdout, p->name);
            (void)printf("%s", between);
            pml_printable_write(stdout, value);
            (void)printf("%s", after);
        }
        pml_free(value);
    }
    return status;
}

pml_status pml_tune_print_summary(const pml_study *study, const char *storage, bool json, pml_error *error) {
    pml_status status = PML_OK;
    char number[PML_F64_TEXT_BYTES];
    const pml_trial *best = pml_study_best(study);
    size_t n_trials;
    (void)pml_study_trials(study, &n_trials);
    if (json) {
        PML_TRY(print_summary_json(study, storage, error));
        goto done;
    }
    pml_printable_write(stdout, pml_study_name(study));
    (void)printf(": %zu trials", n_trials);
    for (unsigned i = 0; i < PML_TRIAL_STATES; i++) {
        const size_t n = pml_study_count(study, (pml_trial_state)i);
        if (n > 0) {
            (void)printf(", %zu %s", n, pml_trial_state_name((pml_trial_state)i));
        }
    }
    (void)printf("\n");
    if (best != NULL) {
        (void)printf("best trial %llu, ", (unsigned long long)best->number);
        pml_printable_write(stdout, pml_study_objective(study));
        (void)printf(" %s\n", pml_f64_text(best->value, number));
        PML_TRY(print_parameters(best, "  ", " = ", "\n", error));
    } else {
        (void)printf("no trial is complete\n");
    }
    if (storage != NULL) {
        (void)printf("%s\n", storage);
    }
done:
    return status;
}

pml_status pml_tune_print_trials(const pml_study *study, bool json, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_writer w;
    char number[PML_F64_TEXT_BYTES];
    size_t n_trials;
    const pml_trial *const *trials = pml_study_trials(study, &n_trials);
    if (json) {
        pml_json_writer_init(&w, stdout, false);
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "study_name", pml_study_name(study));
        pml_json_begin_array(&w, "trials");
        for (size_t i = 0; i < n_trials; i++) {
            write_trial(trials[i], &w, NULL);
        }
        pml_json_end_array(&w);
        pml_json_end_object(&w);
        PML_TRY(pml_json_finish(&w, error));
        goto done;
    }
    for (size_t i = 0; i < n_trials; i++) {
        (void)printf("%llu\t%s\t%s", (unsigned long long)trials[i]->number, pml_trial_state_name(trials[i]->state),
                     trials[i]->has_value ? pml_f64_text(trials[i]->value, number) : "-");
        PML_TRY(print_parameters(trials[i], "\t", "=", "", error));
        (void)printf("\n");
    }
done:
    return status;
}

/* ---- the registries ---- */
static void print_tuner(const char *kind, const pml_plugin *plugin) {
    (void)printf("%s %s: %s\n", kind, plugin->name, plugin->help);
    for (const pml_plugin_option *o = plugin->options; o != NULL && o->name != NULL; o++) {
        (void)printf("    %-24s %-6s %s\n", o->name, o->fallback, o->help);
    }
}

static void write_tuner(pml_json_writer *w, const pml_plugin *plugin) {
    pml_json_begin_object(w, NULL);
    pml_json_string(w, "name", plugin->name);
    pml_json_string(w, "summary", plugin->help);
    pml_json_begin_object(w, "settings");
    for (const pml_plugin_option *o = plugin->options; o != NULL && o->name != NULL; o++) {
        pml_json_raw(w, o->name, o->fallback); /* they are all numbers */
    }
    pml_json_end_object(w);
    pml_json_end_object(w);
}

pml_status pml_tune_print_tuners(bool json, pml_error *error) {
    pml_json_writer w;
    if (!json) {
        for (size_t i = 0; pml_trial_sampler_at(i) != NULL; i++) {
            print_tuner("sampler", &pml_trial_sampler_at(i)->plugin);
        }
        for (size_t i = 0; pml_pruner_at(i) != NULL; i++) {
            print_tuner("pruner", &pml_pruner_at(i)->plugin);
        }
        return PML_OK;
    }
    pml_json_writer_init(&w, stdout, false);
    pml_json_begin_object(&w, NULL);
    pml_json_begin_array(&w, "samplers");
    for (size_t i = 0; pml_trial_sampler_at(i) != NULL; i++) {
        write_tuner(&w, &pml_trial_sampler_at(i)->plugin);
    }
    pml_json_end_array(&w);
    pml_json_begin_array(&w, "pruners");
    for (size_t i = 0; pml_pruner_at(i) != NULL; i++) {
        write_tuner(&w, &pml_pruner_at(i)->plugin);
    }
    pml_json_end_array(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}
