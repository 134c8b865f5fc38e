#include "runtime/tune/percentile_rule.h"

#include <math.h>
#include <stdlib.h>

#include "runtime/base/alloc.h"

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A percentile of sorted values, linear between two of them. */
static double percentile_of(const double *sorted, size_t n, double percentile) {
    const double place = (double)(n - 1) * percentile / 100;
    const size_t below = (size_t)floor(place);
    const size_t above = below + 1 < n ? below + 1 : below;
    const double part = place - (double)below;
    return part > 0 ? sorted[below] + (sorted[above] - sorted[below]) * part : sorted[below];
}

static const pml_trial_report *report_at(const pml_trial *trial, int64_t step) {
    for (size_t i = 0; i < trial->n_reports; i++) {
        if (trial->reports[i].step == step) {
            return &trial->reports[i];
        }
    }
    return NULL;
}

/* The percentile of what completed trials reported at a step; NaN where too few did, or memory is short. */
static double bar_at(const pml_percentile_rule *rule, const pml_study_view *view, int64_t step) {
    double *values = NULL, bar = NAN;
    size_t n_reported = 0, n = 0;
    if (pml_alloc(view->n_trials, sizeof *values, &values, NULL) != PML_OK) {
        return NAN;
    }
    for (size_t i = 0; i < view->n_trials; i++) {
        const pml_trial_report *report =
            view->trials[i]->state == PML_TRIAL_COMPLETE ? report_at(view->trials[i], step) : NULL;
        n_reported += report != NULL;
        if (report != NULL && !isnan(report->value)) {
            values[n++] = report->value;
        }
    }
    if (n > 0 && (double)n_reported >= rule->n_min_trials) {
        qsort(values, n, sizeof *values, compare);
        bar =
            percentile_of(values, n, view->direction == PML_STUDY_MAXIMIZE ? 100 - rule->percentile : rule->percentile);
    }
    pml_free(values);
    return bar;
}

static size_t n_completed(const pml_study_view *view) {
    size_t n = 0;
    for (size_t i = 0; i < view->n_trials; i++) {
        n += view->trials[i]->state == PML_TRIAL_COMPLETE;
    }
    return n;
}

/* Judgements are due every so many steps after the warm-up; one that was due at a step without a report is made up for
 * at the next report. */
static bool is_due(const pml_percentile_rule *rule, const pml_trial *trial, int64_t step) {
    int64_t before = -1;
    for (size_t i = 0; i < trial->n_reports; i++) {
        const int64_t other = trial->reports[i].step;
        before = other != step && other > before ? other : before;
    }
    const double since = floor(((double)step - rule->n_warmup_steps) / rule->interval_steps) * rule->interval_steps;
    return (double)before < since + rule->n_warmup_steps;
}

static double best_report(const pml_trial *trial, bool maximize) {
    double best = NAN;
    for (size_t i = 0; i < trial->n_reports; i++) {
        const double value = trial->reports[i].value;
        best = isnan(best) || (maximize ? value > best : value < best) ? value : best;
    }
    return best;
}

pml_verdict pml_percentile_judge(const pml_percentile_rule *rule, const pml_study_view *view) {
    const pml_trial_report *last = pml_trial_last_report(view->trial);
    const bool maximize = view->direction == PML_STUDY_MAXIMIZE;
    const size_t n = n_completed(view);
    if (n == 0 || (double)n < rule->n_startup_trials || last == NULL || (double)last->step < rule->n_warmup_steps ||
        !is_due(rule, view->trial, last->step)) {
        return (pml_verdict){.prune = false};
    }
    const double best = best_report(view->trial, maximize);
    if (isnan(best)) {
        return (pml_verdict){.prune = true};
    }
    const double bar = bar_at(rule, view, last->step);
    return (pml_verdict){.prune = maximize ? best < bar : best > bar};
}
