/* Backward of AutoCorrelation. With w = softmax(r[delays]) and y[t] = sum_i w_i v[t + delay_i]:
 *   dv[t + delay_i] += w_i g[t],   dw_i = sum_t g[t] . v[t + delay_i],   dr_i = w_i (dw_i - sum_j w_j dw_j)
 * and, r[u] being the mean over columns of sum_t q[t + u] k[t],
 *   dq[t + delay_i] += dr_i / D k[t],   dk[t] += dr_i / D q[t + delay_i].
 * Where r is rounded, dr goes back through that first, and is then of every delay. Which delays there are is no
 * function that has a gradient. */
#include "runtime/ops/autocorrelation.h"
#include "runtime/ops/parallel.h"

typedef struct backward_job {
    pml_correlation c;
    const float *q, *k, *v, *g;
    float *dq, *dk, *dv; /* NULL: not wanted */
    const pml_delay *delays;
    double *d_weights; /* scratch [B, n_delays]: dw, then dr / D */
    bool is_rounded;
    double *rounding;      /* scratch, if so: [B, 5 L] */
    pml_delay *every_step; /* if so: [L], all delays */
} backward_job;

/* The sum of a [n] * b [n]: in float over short runs, in double over those. */
static double dot(const float *a, const float *b, size_t n) {
    enum { LANES = 16 };
    float lanes[LANES] = {0};
    double sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            lanes[j] += a[i + j] * b[i + j];
        }
    }
    for (size_t j = 0; j < LANES; j++) {
        sum += (double)lanes[j];
    }
    for (; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static void weigh(const backward_job *job, size_t b, double *d_weights) {
    const pml_correlation *c = &job->c;
    const pml_delay *delays = job->delays + b * c->n_delays;
    const float *v = job->v + b * c->n_key_steps * c->n_columns, *g = job->g + b * c->n_steps * c->n_columns;
    double mean = 0;
    memset(d_weights, 0, c->n_delays * sizeof *d_weights);
    for (size_t t = 0; t < c->n_steps; t++) {
        for (size_t i = 0; i < c->n_delays; i++) {
            const size_t from = pml_correlation_ahead(c, t, delays[i].steps);
            if (from < c->n_keys) {
                d_weights[i] += dot(g + t * c->n_columns, v + from * c->n_columns, c->n_columns);
            }
        }
    }
    for (size_t i = 0; i < c->n_delays; i++) {
        mean += delays[i].weight * d_weights[i];
    }
    for (size_t i = 0; i < c->n_delays; i++) {
        d_weights[i] = delays[i].weight * (d_weights[i] - mean) / (double)c->n_columns;
    }
}

/* to [to_rows] at step t += factor_i * from [from_rows] at step t + delay_i, or, with `is_back`, at step t - delay_i.
 * Steps behind the rows of either do not count. `factors` NULL: the weights. */
static void add_delayed(const pml_correlation *c, const pml_delay *delays, const double *factors, bool is_back,
                        const float *from, size_t from_rows, float *to, size_t to_rows) {
    for (size_t t = 0; t < to_rows; t++) {
        for (size_t i = 0; i < c->n_delays; i++) {
            const size_t distance = is_back ? c->n_steps - delays[i].steps : delays[i].steps;
            const size_t at = pml_correlation_ahead(c, t, distance);
            if (at < from_rows) {
                const double factor = factors == NULL ? delays[i].weight : factors[i];
                pml_correlation_add(to + t * c->n_columns, from + at * c->n_columns, (float)factor, c->n_columns);
            }
        }
    }
}

/* dq and dk of one sample. */
static void add_correlations(const backward_job *job, size_t b, const pml_delay *delays, const double *factors) {
    pml_correlation c = job->c;
    const size_t at = b * c.n_steps * c.n_columns, key = b * c.n_key_steps * c.n_columns;
    if (job->is_rounded) {
        double *d = job->rounding + b * 5 * c.n_steps;
        memset(d, 0, c.n_steps * sizeof *d);
        for (size_t i = 0; i < c.n_delays; i++) {
            d[delays[i].steps] = factors[i];
        }
        pml_correlation_round_back(d, c.n_steps, d + c.n_steps);
        factors = d;
        delays = job->every_step;
        c.n_delays = c.n_steps;
    }
    if (job->dq != NULL) {
        add_delayed(&c, delays, factors, true, job->k + key, c.n_keys, job->dq + at, c.n_steps);
    }
    if (job->dk != NULL) {
        add_delayed(&c, delays, factors, false, job->q + at, c.n_steps, job->dk + key, c.n_keys);
    }
}

static pml_status take_rounding(pml_gradients *gradients, backward_job *job, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n = job->c.n_steps;
    float *scratch, *delays;
    PML_TRY(pml_gradients_scratch(gradients, job->c.n_samples * 5 * n * 2, &scratch, error)); /* a double: two floats */
    PML_TRY(pml_gradients_scratch(gradients, n * (sizeof *job->every_step / sizeof *delays), &delays, error));
    job->rounding = (double *)(void *)scratch;
    job->every_step = (pml_delay *)(void *)delays;
    for (size_t u = 0; u < n; u++) {
        job->every_step[u] = (pml_delay){.steps = u};
    }

done:
    return status;
}

static void run_samples(void *user, size_t begin, size_t end) {
    const backward_job *job = user;
    const pml_correlation *c = &job->c;
    for (size_t b = begin; b < end; b++) {
        const pml_delay *delays = job->delays + b * c->n_delays;
        const size_t at = b * c->n_steps * c->n_columns, key = b * c->n_key_steps * c->n_columns;
        double *factors = job->d_weights + b * c->n_delays;
        if (job->dv != NULL) {
            add_delayed(c, delays, NULL, true, job->g + at, c->n_steps, job->dv + key, c->n_keys);
        }
        if (job->dq != NULL || job->dk != NULL) {
            weigh(job, b, factors);
            add_correlations(job, b, delays, factors);
        }
    }
}

pml_status pml_autocorrelation_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                        pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *q = &entry->inputs[0], *k = &entry->inputs[1], *v = &entry->inputs[2];
    backward_job job = {.c = pml_correlation_of(q, k, (size_t)entry->attributes.integer[0]),
                        .q = pml_tensor_f32_const(q),
                        .k = pml_tensor_f32_const(k),
                        .v = pml_tensor_f32_const(v),
                        .g = pml_gradient_out(gradients, entry),
                        .delays = entry->attributes.data,
                        .is_rounded = entry->attributes.integer[2] != 0};
    const size_t n_weights = job.c.n_samples * job.c.n_delays;
    float *scratch;
    PML_TRY(pml_gradient_of(gradients, q, &job.dq, error));
    PML_TRY(pml_gradient_of(gradients, k, &job.dk, error));
    PML_TRY(pml_gradient_of(gradients, v, &job.dv, error));
    PML_TRY(pml_gradients_scratch(gradients, n_weights * (sizeof(double) / sizeof(float)), &scratch, error));
    job.d_weights = (double *)(void *)scratch;
    if (job.is_rounded) {
        PML_TRY(take_rounding(gradients, &job, error));
    }
    const double values = (double)n_weights * (double)job.c.n_steps * (double)job.c.n_columns;
    pml_context_ranges(context, job.c.n_samples, 1, PML_COST_VALUES(values), run_samples, &job);

done:
    return status;
}
