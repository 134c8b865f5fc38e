#include "runtime/tune/halving.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/alloc.h"

enum { MOST_RUNGS = 64 };

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static const char *rung_of(const pml_trial *trial, unsigned rung) {
    char key[32];
    (void)snprintf(key, sizeof key, "completed_rung_%u", rung);
    return pml_attributes_find(&trial->system, key);
}

static double least_resource(const pml_halving *halving, const pml_study_view *view) {
    double longest = -1;
    if (halving->min_resource > 0) {
        return halving->min_resource;
    }
    for (size_t i = 0; i < view->n_trials; i++) {
        const pml_trial_report *last =
            view->trials[i]->state == PML_TRIAL_COMPLETE ? pml_trial_last_report(view->trials[i]) : NULL;
        longest = last != NULL && (double)last->step > longest ? (double)last->step : longest;
    }
    return longest < 0 ? INFINITY : fmax(floor(longest / 100), 1);
}

/* Whether `value` may go on behind a rung, beside all that ended it before. */
static bool is_promoted(const pml_halving *halving, const pml_study_view *view, unsigned rung, double value) {
    double *values = NULL;
    size_t n = 0;
    if (pml_alloc(view->n_trials + 1, sizeof *values, &values, NULL) != PML_OK) {
        return true;
    }
    for (size_t i = 0; i < view->n_trials; i++) {
        const char *text = view->trials[i] != view->trial ? rung_of(view->trials[i], rung) : NULL;
        const double other = text != NULL ? strtod(text, NULL) : NAN;
        if (!isnan(other)) {
            values[n++] = other;
        }
    }
    values[n++] = value;
    qsort(values, n, sizeof *values, compare);
    size_t place = n / (size_t)halving->reduction_factor;
    place = place > 0 ? place - 1 : 0;
    const bool promoted =
        (double)n > halving->bootstrap_count &&
        (view->direction == PML_STUDY_MAXIMIZE ? value >= values[n - 1 - place] : value <= values[place]);
    pml_free(values);
    return promoted;
}

pml_verdict pml_halving_judge(const pml_halving *halving, const pml_study_view *view) {
    const pml_trial_report *last = pml_trial_last_report(view->trial);
    pml_verdict verdict = {.prune = false};
    while (verdict.first_rung < MOST_RUNGS && rung_of(view->trial, verdict.first_rung) != NULL) {
        verdict.first_rung++;
    }
    if (last == NULL) {
        return verdict;
    }
    const double least = least_resource(halving, view);
    verdict.rung_value = last->value;
    for (unsigned rung = verdict.first_rung; rung < MOST_RUNGS; rung++) {
        const double end = least * pow(halving->reduction_factor, halving->min_early_stopping_rate + rung);
        if ((double)last->step < end) {
            break;
        }
        if (isnan(last->value)) {
            verdict.prune = true;
            break;
        }
        verdict.n_rungs++;
        if (!is_promoted(halving, view, rung, last->value)) {
            verdict.prune = true;
            break;
        }
    }
    return verdict;
}
