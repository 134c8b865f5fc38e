#include "runtime/plot/importance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"

#define TARGET_SHARE 0.1
#define MOST_STEPS 50
#define LEAST_SIGMA (0.5 / 1.64) /* nine tenths of a kernel in its own cell of the grid */
#define LEAST_DENSITY 1e-12
#define LEAST_REGIME 2

typedef struct work { /* of one study */
    const pml_trial *const *trials;
    size_t n_trials, n_target;
    bool *is_target;                        /* [n_trials] among the best tenth */
    const pml_distribution **distributions; /* [n_trials] of the parameter at hand; NULL: it is not there */
    double *values;                         /* [n_trials] of it */
    size_t *top, *all;                      /* [n_cells] counts on its grid */
    double *density_top, *density_all;      /* [n_cells] */
    size_t cells_capacity;
} work;

/* ---- the best tenth ---- */
static int compare(const void *a, const void *b) {
    const double p = *(const double *)a, q = *(const double *)b;
    return p < q ? -1 : p > q;
}

static pml_status mark_targets(work *w, pml_study_direction direction, pml_error *error) {
    pml_status status = PML_OK;
    const double sign = direction == PML_STUDY_MAXIMIZE ? -1 : 1;
    double *sorted = NULL;
    PML_TRY(pml_alloc(w->n_trials, sizeof *sorted, &sorted, error));
    for (size_t i = 0; i < w->n_trials; i++) {
        sorted[i] = sign * w->trials[i]->value;
    }
    qsort(sorted, w->n_trials, sizeof *sorted, compare);
    const double cut = sorted[(size_t)ceil(TARGET_SHARE * (double)w->n_trials) - 1];
    for (size_t i = 0; i < w->n_trials; i++) {
        w->is_target[i] = sign * w->trials[i]->value <= cut;
        w->n_target += w->is_target[i];
    }
done:
    pml_free(sorted);
    return status;
}

/* ---- densities ---- */
static size_t count_cells(const pml_distribution *d) {
    if (d->kind == PML_DISTRIBUTION_CATEGORICAL) {
        return d->n_choices;
    }
    double cells = MOST_STEPS;
    if (d->kind == PML_DISTRIBUTION_INT && d->log) {
        cells = ceil(log(d->high - d->low + 1) / log(2)) + 1;
    } else if (d->step > 0) {
        cells = nearbyint((d->high - d->low) / d->step) + 1;
    }
    return (size_t)fmin(cells, MOST_STEPS);
}

static size_t cell_of(const pml_distribution *d, double value, size_t n_cells) {
    if (d->kind == PML_DISTRIBUTION_CATEGORICAL) {
        return (size_t)value;
    }
    const double low = d->log ? log(d->low) : d->low, high = d->log ? log(d->high) : d->high;
    const double at = ((d->log ? log(value) : value) - low) / ((high - low) / (double)(n_cells - 1));
    const double cell = ceil(at - 0.5); /* halves go down */
    return cell > 0 ? (size_t)fmin(cell, (double)(n_cells - 1)) : 0;
}

/* Of kernels around each choice that was seen, each with a share of the prior, and of the prior. */
static void choice_density(const size_t *counts, size_t n_cells, double *density) {
    double weight = 1, n_kernels = 1;
    for (size_t c = 0; c < n_cells; c++) {
        weight += (double)counts[c];
        n_kernels += counts[c] > 0;
    }
    const double row = 1 + (double)n_cells / n_kernels;
    for (size_t c = 0; c < n_cells; c++) { /* of each kernel 1/(n·row), of its own 1/row more */
        density[c] = ((weight - 1) / (n_kernels * row) + (double)counts[c] / row + 1 / (double)n_cells) / weight;
    }
}

static double normal_between(double from, double to) {
    const double root = 0.70710678118654752440;
    /* On the side where the difference is not one of numbers near 1. */
    return from > 0 ? 0.5 * (erfc(from * root) - erfc(to * root)) : 0.5 * (erfc(-to * root) - erfc(-from * root));
}

static void add_kernel(double mu, double sigma, double weight, size_t n_cells, double *density) {
    const double all = normal_between((-0.5 - mu) / sigma, ((double)n_cells - 0.5 - mu) / sigma);
    for (size_t c = 0; c < n_cells; c++) {
        const double x = (double)c;
        density[c] += weight * normal_between((x - 0.5 - mu) / sigma, (x + 0.5 - mu) / sigma) / all;
    }
}

/* The first cell at which more than, or at least, so many were counted. */
static double quartile(const size_t *counts, size_t n_cells, double wanted, bool is_more) {
    double sum = 0, last = 0;
    for (size_t c = 0; c < n_cells; c++) {
        sum += (double)counts[c];
        last = counts[c] > 0 ? (double)c : last;
        if (counts[c] > 0 && (is_more ? sum > wanted : sum >= wanted)) {
            return (double)c;
        }
    }
    return last;
}

/* Of normal kernels as wide as Scott's rule says, cut at the grid's ends, and of a prior as wide as the grid. */
static void number_density(const size_t *counts, size_t n_cells, double *density) {
    double n = 0, mean = 0, square = 0;
    for (size_t c = 0; c < n_cells; c++) {
        n += (double)counts[c];
        mean += (double)counts[c] * (double)c;
    }
    mean /= n;
    for (size_t c = 0; c < n_cells; c++) {
        square += (double)counts[c] * ((double)c - mean) * ((double)c - mean);
    }
    const double range =
        quartile(counts, n_cells, floor(n * 3 / 4), true) - quartile(counts, n_cells, floor(n / 4), false);
    const double rule = 1.059 * fmin(range / 1.34, sqrt(square / fmax(1, n - 1))) * pow(n, -0.2);
    const double sigma = fmax(rule, LEAST_SIGMA);
    memset(density, 0, n_cells * sizeof *density);
    for (size_t c = 0; c < n_cells; c++) {
        if (counts[c] > 0) {
            add_kernel((double)c, sigma, (double)counts[c] / (n + 1), n_cells, density);
        }
    }
    add_kernel((double)(n_cells - 1) / 2, (double)n_cells, 1 / (n + 1), n_cells, density);
}

/* ---- one parameter ---- */
static pml_status make_room(work *w, size_t n_cells, pml_error *error) {
    pml_status status = PML_OK;
    if (n_cells > w->cells_capacity) {
        pml_free(w->top);
        pml_free(w->all);
        pml_free(w->density_top);
        pml_free(w->density_all);
        w->top = w->all = NULL;
        w->density_top = w->density_all = NULL;
        w->cells_capacity = 0;
        PML_TRY(pml_alloc(n_cells, sizeof *w->top, &w->top, error));
        PML_TRY(pml_alloc(n_cells, sizeof *w->all, &w->all, error));
        PML_TRY(pml_alloc(n_cells, sizeof *w->density_top, &w->density_top, error));
        PML_TRY(pml_alloc(n_cells, sizeof *w->density_all, &w->density_all, error));
        w->cells_capacity = n_cells;
    }
    memset(w->top, 0, n_cells * sizeof *w->top);
    memset(w->all, 0, n_cells * sizeof *w->all);
done:
    return status;
}

/* Pearson's divergence of the best trials' density from that of all, weighted by how the trials with this distribution
 * are spread between both; it is taken as done. */
static pml_status add_regime(work *w, size_t first, double *importance, pml_error *error) {
    pml_status status = PML_OK;
    const pml_distribution *d = w->distributions[first];
    size_t n_all = 0, n_top = 0;
    const size_t n_cells = count_cells(d);
    PML_TRY(make_room(w, n_cells, error));
    for (size_t i = first; i < w->n_trials; i++) {
        if (w->distributions[i] == d) {
            const size_t cell = cell_of(d, w->values[i], n_cells);
            w->all[cell]++;
            w->top[cell] += w->is_target[i];
            n_all++;
            n_top += w->is_target[i];
            w->distributions[i] = NULL;
        }
    }
    if (n_all < LEAST_REGIME || n_top == 0 || pml_distribution_is_single(d)) {
        goto done;
    }
    void (*density)(const size_t *, size_t, double *) =
        d->kind == PML_DISTRIBUTION_CATEGORICAL ? choice_density : number_density;
    density(w->top, n_cells, w->density_top);
    density(w->all, n_cells, w->density_all);
    double divergence = 0;
    for (size_t c = 0; c < n_cells; c++) {
        const double all = w->density_all[c] + LEAST_DENSITY;
        const double more = (w->density_top[c] + LEAST_DENSITY) / all - 1;
        divergence += all * more * more;
    }
    const double of_top = (double)n_top / (double)w->n_target, of_all = (double)n_all / (double)w->n_trials;
    *importance += of_top * of_top / of_all * divergence;
done:
    return status;
}

static pml_status measure(work *w, const char *name, double *importance, pml_error *error) {
    pml_status status = PML_OK;
    *importance = 0;
    for (size_t i = 0; i < w->n_trials; i++) {
        const pml_trial_parameter *p = pml_trial_find(w->trials[i], name);
        w->distributions[i] = p != NULL ? p->distribution : NULL;
        w->values[i] = p != NULL ? p->value : 0;
    }
    for (size_t i = 0; i < w->n_trials; i++) {
        if (w->distributions[i] != NULL) {
            PML_TRY(add_regime(w, i, importance, error));
        }
    }
done:
    return status;
}

pml_status pml_importance(const pml_trial *const *trials, size_t n_trials, pml_study_direction direction,
                          const char *const *names, size_t n_names, double *importances, pml_error *error) {
    pml_status status = PML_OK;
    work w = {.trials = trials, .n_trials = n_trials};
    double sum = 0;
    PML_TRY(pml_alloc(n_trials, sizeof *w.is_target, &w.is_target, error));
    PML_TRY(pml_alloc(n_trials, sizeof *w.distributions, &w.distributions, error));
    PML_TRY(pml_alloc(n_trials, sizeof *w.values, &w.values, error));
    if (n_trials > 1) {
        PML_TRY(mark_targets(&w, direction, error));
    }
    for (size_t k = 0; k < n_names; k++) {
        importances[k] = 0;
        if (n_trials > 1) {
            PML_TRY(measure(&w, names[k], &importances[k], error));
        }
        sum += importances[k];
    }
    for (size_t k = 0; k < n_names; k++) {
        importances[k] = sum > 0 ? importances[k] / sum : 1 / (double)n_names;
    }
done:
    pml_free(w.is_target);
    pml_free(w.distributions);
    pml_free(w.values);
    pml_free(w.top);
    pml_free(w.all);
    pml_free(w.density_top);
    pml_free(w.density_all);
    return status;
}
