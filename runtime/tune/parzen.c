#include "runtime/tune/parzen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/tune/truncated_normal.h"

enum { FULL_WEIGHT = 25 }; /* so many of the newest observations weigh 1 */

typedef struct dimension {
    const pml_distribution *distribution;
    double low, high;  /* of the normals: by logarithm where it is one, half a step wider where there are steps */
    double *mean;      /* [n_kernels], numbers */
    double *deviation; /* [n_kernels], numbers */
    double *log_mass;  /* [n_kernels], of the normal within low and high */
    double *chance;    /* [n_kernels][n_choices], categorical */
} dimension;

struct pml_parzen {
    size_t n_kernels, n_dimensions;
    double *weight; /* [n_kernels], together 1 */
    double *log_weight;
    double *scratch; /* [n_kernels] */
    dimension *dimensions;
};

void pml_parzen_destroy(pml_parzen *parzen) {
    if (parzen != NULL) {
        for (size_t i = 0; parzen->dimensions != NULL && i < parzen->n_dimensions; i++) {
            pml_free(parzen->dimensions[i].mean);
            pml_free(parzen->dimensions[i].deviation);
            pml_free(parzen->dimensions[i].log_mass);
            pml_free(parzen->dimensions[i].chance);
        }
        pml_free(parzen->dimensions);
        pml_free(parzen->weight);
        pml_free(parzen->log_weight);
        pml_free(parzen->scratch);
        pml_free(parzen);
    }
}

/* From 25 observations on the older ones ramp up from 1 / n to 1. */
static void set_weights(pml_parzen *p, size_t n, const pml_parzen_rule *rule) {
    const size_t n_old = n > FULL_WEIGHT ? n - FULL_WEIGHT : 0;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double step = n_old > 1 ? (1 - 1 / (double)n) / (double)(n_old - 1) : 0;
        p->weight[i] = i < n_old ? 1 / (double)n + (double)i * step : 1;
    }
    p->weight[n] = n == 0 ? 1 : rule->prior_weight;
    for (size_t i = 0; i < p->n_kernels; i++) {
        sum += p->weight[i];
    }
    for (size_t i = 0; i < p->n_kernels; i++) {
        p->weight[i] /= sum;
        p->log_weight[i] = log(p->weight[i]);
    }
}

/* Each observation adds 1 to a small equal share of all choices. */
static pml_status set_chances(const pml_parzen *p, dimension *d, const double *observations, size_t i_dimension,
                              const pml_parzen_rule *rule, pml_error *error) {
    const size_t n_choices = d->distribution->n_choices;
    const pml_status status = pml_alloc(p->n_kernels * n_choices, sizeof *d->chance, &d->chance, error);
    for (size_t k = 0; status == PML_OK && k < p->n_kernels; k++) {
        const bool is_prior = k + 1 == p->n_kernels;
        const double share = rule->prior_weight / (double)p->n_kernels;
        const double sum = share * (double)n_choices + (is_prior ? 0 : 1);
        const size_t seen = is_prior ? n_choices : (size_t)observations[k * p->n_dimensions + i_dimension];
        for (size_t c = 0; c < n_choices; c++) {
            d->chance[k * n_choices + c] = sum > 0 ? (share + (c == seen ? 1 : 0)) / sum : 1 / (double)n_choices;
        }
    }
    return status;
}

typedef struct placed {
    double value;
    size_t index;
} placed;

static int compare_placed(const void *a, const void *b) {
    const placed *x = a, *y = b;
    if (x->value != y->value) {
        return x->value < y->value ? -1 : 1;
    }
    return (x->index > y->index) - (x->index < y->index);
}

static double least_width(const pml_parzen *p, const pml_parzen_rule *rule) {
    const double n = (double)p->n_kernels + 1; /* observations + 2 */
    if (rule->width == PML_PARZEN_ANY) {
        return 1e-12;
    }
    return rule->width == PML_PARZEN_FINE && p->n_dimensions > 1 ? 1 / fmin(33, n * n) : 1 / fmin(100, n);
}

/* An observation is as wide as the larger gap to its neighbours. */
static pml_status set_deviations(const pml_parzen *p, dimension *d, const pml_parzen_rule *rule, pml_error *error) {
    placed *sorted = NULL;
    const size_t n = p->n_kernels - 1;
    const double range = d->high - d->low;
    const double least = range * least_width(p, rule);
    const pml_status status = pml_alloc(n, sizeof *sorted, &sorted, error);
    if (status != PML_OK) {
        return status;
    }
    for (size_t i = 0; i < n; i++) {
        sorted[i] = (placed){d->mean[i], i};
    }
    qsort(sorted, n, sizeof *sorted, compare_placed);
    for (size_t i = 0; i < n; i++) {
        double left = sorted[i].value - (i > 0 ? sorted[i - 1].value : d->low);
        double right = (i + 1 < n ? sorted[i + 1].value : d->high) - sorted[i].value;
        if (!rule->endpoints && n >= 2) {
            left = i == 0 ? right : left;
            right = i + 1 == n ? left : right;
        }
        d->deviation[sorted[i].index] = fmin(fmax(fmax(left, right), least), range);
    }
    d->mean[n] = (d->low + d->high) / 2;
    d->deviation[n] = range;
    pml_free(sorted);
    return PML_OK;
}

static pml_status set_normals(const pml_parzen *p, dimension *d, const double *observations, size_t i_dimension,
                              const pml_parzen_rule *rule, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_alloc(p->n_kernels, sizeof *d->mean, &d->mean, error));
    PML_TRY(pml_alloc(p->n_kernels, sizeof *d->deviation, &d->deviation, error));
    PML_TRY(pml_alloc(p->n_kernels, sizeof *d->log_mass, &d->log_mass, error));
    pml_distribution_bounds(d->distribution, &d->low, &d->high);
    for (size_t i = 0; i + 1 < p->n_kernels; i++) {
        const double value = observations[i * p->n_dimensions + i_dimension];
        /* A value from before the range was moved may have no logarithm. */
        d->mean[i] = !d->distribution->log ? value : value > 0 ? log(value) : d->low;
    }
    PML_TRY(set_deviations(p, d, rule, error));
    for (size_t i = 0; i < p->n_kernels; i++) {
        d->log_mass[i] =
            pml_normal_log_mass((d->low - d->mean[i]) / d->deviation[i], (d->high - d->mean[i]) / d->deviation[i]);
    }
done:
    return status;
}

pml_status pml_parzen_create(const pml_distribution *const *distributions, size_t n_dimensions,
                             const double *observations, size_t n, const pml_parzen_rule *rule, pml_parzen **parzen,
                             pml_error *error) {
    pml_status status = PML_OK;
    pml_parzen *p = NULL;
    PML_TRY(pml_alloc(1, sizeof *p, &p, error));
    p->n_kernels = n + 1;
    p->n_dimensions = n_dimensions;
    PML_TRY(pml_alloc(p->n_kernels, sizeof *p->weight, &p->weight, error));
    PML_TRY(pml_alloc(p->n_kernels, sizeof *p->log_weight, &p->log_weight, error));
    PML_TRY(pml_alloc(p->n_kernels, sizeof *p->scratch, &p->scratch, error));
    PML_TRY(pml_alloc(n_dimensions, sizeof *p->dimensions, &p->dimensions, error));
    set_weights(p, n, rule);
    for (size_t i = 0; i < n_dimensions; i++) {
        dimension *d = &p->dimensions[i];
        d->distribution = distributions[i];
        if (d->distribution->kind == PML_DISTRIBUTION_CATEGORICAL) {
            PML_TRY(set_chances(p, d, observations, i, rule, error));
        } else {
            PML_TRY(set_normals(p, d, observations, i, rule, error));
        }
    }
    *parzen = p;
    p = NULL;
done:
    pml_parzen_destroy(p);
    return status;
}

/* The index at which the sum of shares, which are 1 together, passes a random place. */
static size_t draw_index(const double *shares, size_t n, pml_random *random) {
    double place = pml_random_draw_double(random);
    size_t i = 0;
    while (i + 1 < n && place >= shares[i]) {
        place -= shares[i];
        i++;
    }
    return i;
}

void pml_parzen_draw(const pml_parzen *p, pml_random *random, double *values) {
    const size_t k = draw_index(p->weight, p->n_kernels, random);
    for (size_t i = 0; i < p->n_dimensions; i++) {
        const dimension *d = &p->dimensions[i];
        if (d->chance != NULL) {
            const size_t n_choices = d->distribution->n_choices;
            values[i] = (double)draw_index(d->chance + k * n_choices, n_choices, random);
            continue;
        }
        const double a = (d->low - d->mean[k]) / d->deviation[k], b = (d->high - d->mean[k]) / d->deviation[k];
        const double drawn =
            d->mean[k] + d->deviation[k] * pml_normal_truncated_quantile(pml_random_draw_double(random), a, b);
        values[i] = pml_distribution_nearest(d->distribution, d->distribution->log ? exp(drawn) : drawn);
    }
}

static double log_share(const dimension *d, size_t kernel, double value) {
    if (d->chance != NULL) {
        return log(d->chance[kernel * d->distribution->n_choices + (size_t)value]);
    }
    const double mean = d->mean[kernel], deviation = d->deviation[kernel], half = d->distribution->step / 2;
    if (half == 0) {
        const double at = d->distribution->log ? log(value) : value;
        return pml_normal_log_density((at - mean) / deviation) - log(deviation) - d->log_mass[kernel];
    }
    double left = value - half, right = value + half;
    if (d->distribution->log) {
        left = log(left);
        right = log(right);
    }
    return pml_normal_log_mass((left - mean) / deviation, (right - mean) / deviation) - d->log_mass[kernel];
}

double pml_parzen_log_density(const pml_parzen *p, const double *values) {
    double most = -INFINITY, sum = 0;
    for (size_t k = 0; k < p->n_kernels; k++) {
        double log_density = p->log_weight[k];
        for (size_t i = 0; i < p->n_dimensions; i++) {
            log_density += log_share(&p->dimensions[i], k, values[i]);
        }
        p->scratch[k] = log_density;
        most = fmax(most, log_density);
    }
    if (most == -INFINITY) {
        return most;
    }
    for (size_t k = 0; k < p->n_kernels; k++) {
        sum += exp(p->scratch[k] - most);
    }
    return most + log(sum);
}
