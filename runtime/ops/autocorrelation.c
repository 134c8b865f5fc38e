/* AutoCorrelation of Autoformer: series aligned by their most telling delays. Only the mean of the correlations over
 * columns is used, so it is taken in the time domain, as sums along the diagonals of q . kT, tile by tile: no spectrum
 * of any column is ever in memory, and no length is special. */
#include "runtime/ops/autocorrelation.h"

#include <math.h>

#include "runtime/ops/parallel.h"

#define TILE_ROWS 12u /* queries whose products with all keys are in memory at a time */

static const pml_op op_autocorrelation = {.name = "autocorrelation", .backward = pml_autocorrelation_backward};

pml_correlation pml_correlation_of(const pml_tensor *q, const pml_tensor *k, size_t n_delays) {
    return (pml_correlation){.n_samples = q->shape[0],
                             .n_steps = q->shape[1],
                             .n_key_steps = k->shape[1],
                             .n_keys = k->shape[1] < q->shape[1] ? k->shape[1] : q->shape[1],
                             .n_columns = q->shape[2],
                             .n_delays = n_delays};
}

size_t pml_autocorrelation_work_bytes(size_t n_samples, size_t n_steps) {
    return PML_SUM(PML_FLOATS(2, n_samples, n_steps), PML_FLOATS(2, n_steps), PML_FLOATS(4, n_samples, n_steps));
}

typedef struct correlate_job {
    pml_correlation c;
    pml_matmul_fn *matmul;
    const float *q, *k, *v;
    float *y;
    double *means;       /* [B, L] */
    bool is_rounded;     /* of an odd number of steps */
    const double *order; /* [L]: what all samples' delays are chosen by; NULL: each its own means */
    pml_delay *delays;   /* [B, n_delays] */
    size_t n_shares, work_floats;
    float *work; /* scratch of every share: [D, S] and [TILE_ROWS, S], later F64 [4, L] */
} correlate_job;

/* ---- correlations ---- */
static void transpose_keys(const pml_correlation *c, const float *k, float *to) {
    for (size_t s = 0; s < c->n_keys; s++) {
        for (size_t d = 0; d < c->n_columns; d++) {
            to[d * c->n_keys + s] = k[s * c->n_columns + d];
        }
    }
}

/* backward[j] += row[s] for every j = (s - t) mod L: the products of query t, by how far the key lies ahead. */
static void add_diagonal(double *backward, const float *row, size_t n_steps, size_t n_keys, size_t t) {
    const size_t n_before = t < n_keys ? t : n_keys;
    double *wrapped = backward + (n_steps - t);
    for (size_t s = 0; s < n_before; s++) {
        wrapped[s] += (double)row[s];
    }
    for (size_t s = t; s < n_keys; s++) {
        backward[s - t] += (double)row[s];
    }
}

/* r [L] of one sample: the mean correlation at every delay. */
static void correlate(const correlate_job *job, size_t b, float *work) {
    const pml_correlation *c = &job->c;
    const float *q = job->q + b * c->n_steps * c->n_columns;
    float *keys = work, *tile = work + c->n_columns * c->n_keys;
    double *r = job->means + b * c->n_steps;
    transpose_keys(c, job->k + b * c->n_key_steps * c->n_columns, keys);
    memset(r, 0, c->n_steps * sizeof *r);
    for (size_t first = 0; first < c->n_steps; first += TILE_ROWS) {
        const size_t n_rows = c->n_steps - first < TILE_ROWS ? c->n_steps - first : TILE_ROWS;
        job->matmul(&(pml_matmul){.m = n_rows,
                                  .k = c->n_columns,
                                  .n = c->n_keys,
                                  .x = q + first * c->n_columns,
                                  .x_stride = c->n_columns,
                                  .w = keys,
                                  .y = tile,
                                  .y_stride = c->n_keys});
        for (size_t i = 0; i < n_rows; i++) {
            add_diagonal(r, tile + i * c->n_keys, c->n_steps, c->n_keys, first + i);
        }
    }
    /* A key j steps ahead is a delay of L - j. */
    for (size_t low = 1, high = c->n_steps - 1; low < high; low++, high--) {
        const double swapped = r[low];
        r[low] = r[high];
        r[high] = swapped;
    }
    for (size_t u = 0; u < c->n_steps; u++) {
        r[u] /= (double)c->n_columns;
    }
    if (job->is_rounded) {
        pml_correlation_round(r, c->n_steps, (double *)(void *)work);
    }
}

static void correlate_share(void *user, size_t i_share) {
    const correlate_job *job = user;
    const pml_correlation *c = &job->c;
    const size_t end = pml_share_begin(c->n_samples, 1, job->n_shares, i_share + 1);
    for (size_t b = pml_share_begin(c->n_samples, 1, job->n_shares, i_share); b < end; b++) {
        correlate(job, b, job->work + i_share * job->work_floats);
    }
}

/* Means of the means, [L]. */
static void mean_over_batch(const pml_correlation *c, const double *means, double *shared) {
    for (size_t u = 0; u < c->n_steps; u++) {
        double sum = 0;
        for (size_t b = 0; b < c->n_samples; b++) {
            sum += means[b * c->n_steps + u];
        }
        shared[u] = sum / (double)c->n_samples;
    }
}

/* ---- delays ---- */
/* The place after `previous` in the order of falling r, equal ones by index; NaN counts as greatest, as it does in
 * torch.topk. `previous` = L: the first place. */
static size_t next_delay(const double *r, size_t n_steps, size_t previous) {
    size_t best = n_steps;
    for (size_t u = 0; u < n_steps; u++) {
        const double value = isnan(r[u]) ? (double)INFINITY : r[u];
        if (previous < n_steps) {
            const double last = isnan(r[previous]) ? (double)INFINITY : r[previous];
            if (value > last || (value == last && u <= previous)) {
                continue;
            }
        }
        if (best == n_steps || value > (isnan(r[best]) ? (double)INFINITY : r[best])) {
            best = u;
        }
    }
    return best;
}

/* Which delays, by `order`, and how much each of them counts by `r`. */
static void choose(const pml_correlation *c, size_t n_lags, const double *order, const double *r, pml_delay *delays) {
    double greatest = -(double)INFINITY, total = 0;
    size_t delay = n_lags;
    for (size_t i = 0; i < c->n_delays; i++) {
        delay = next_delay(order, n_lags, delay);
        delays[i].steps = delay;
        greatest = r[delay] > greatest ? r[delay] : greatest;
    }
    for (size_t i = 0; i < c->n_delays; i++) {
        delays[i].weight = exp(r[delays[i].steps] - greatest);
        total += delays[i].weight;
    }
    for (size_t i = 0; i < c->n_delays; i++) {
        delays[i].weight /= total;
    }
}

/* y [L, D]: v, rolled to the left by each delay, weighed. */
static void aggregate(const pml_correlation *c, const pml_delay *delays, const float *v, float *y) {
    for (size_t t = 0; t < c->n_steps; t++) {
        float *to = y + t * c->n_columns;
        memset(to, 0, c->n_columns * sizeof *to);
        for (size_t i = 0; i < c->n_delays; i++) {
            const size_t from = pml_correlation_ahead(c, t, delays[i].steps);
            if (from < c->n_keys) {
                pml_correlation_add(to, v + from * c->n_columns, (float)delays[i].weight, c->n_columns);
            }
        }
    }
}

static void aggregate_samples(void *user, size_t begin, size_t end) {
    const correlate_job *job = user;
    const pml_correlation *c = &job->c;
    for (size_t b = begin; b < end; b++) {
        const double *r = job->means + b * c->n_steps;
        pml_delay *delays = job->delays + b * c->n_delays;
        choose(c, c->n_steps - job->is_rounded, job->order == NULL ? r : job->order, r, delays);
        aggregate(c, delays, job->v + b * c->n_key_steps * c->n_columns, job->y + b * c->n_steps * c->n_columns);
    }
}

static bool is_series(const pml_tensor *tensor, const pml_tensor *like) {
    return pml_op_is(tensor, PML_DTYPE_F32) && tensor->rank == 3 && tensor->shape[0] == like->shape[0] &&
           tensor->shape[1] > 0 && tensor->shape[2] == like->shape[2];
}

static pml_status run(pml_context *context, correlate_job *job, bool share_delays, pml_error *error) {
    pml_status status = PML_OK;
    const pml_correlation *c = &job->c;
    const double values = (double)c->n_samples * (double)c->n_steps * (double)c->n_columns;
    job->n_shares = pml_context_shares(context, PML_COST_MULTIPLY(values * (double)c->n_keys));
    job->work_floats = ((c->n_columns + TILE_ROWS) * c->n_keys + 15) / 16 * 16;
    if (job->is_rounded && job->work_floats < PML_FLOATS(8, c->n_steps) / sizeof(float)) {
        job->work_floats = PML_FLOATS(8, c->n_steps) / sizeof(float);
    }
    PML_TRY(pml_context_quantized(context, job->n_shares * job->work_floats * sizeof(float), error));
    job->work = context->quantized;
    pml_context_run(context, job->n_shares, correlate_share, job);
    if (share_delays) {
        pml_tensor shared;
        PML_TRY(pml_context_tensor(context, PML_DTYPE_F64, (const size_t[]){c->n_steps}, 1, &shared, error));
        mean_over_batch(c, job->means, pml_op_f64(&shared));
        job->order = pml_op_f64_const(&shared);
    }
    pml_context_ranges(context, c->n_samples, 1, PML_COST_VALUES(values * (double)c->n_delays) / 4, aggregate_samples,
                       job);

done:
    return status;
}

pml_status pml_op_autocorrelation(pml_context *context, const pml_tensor *q, const pml_tensor *k, const pml_tensor *v,
                                  const pml_autocorrelation_options *options, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor means, delays;
    PML_OP_REQUIRE(q->rank == 3 && q->shape[2] > 0 && is_series(q, q) && is_series(k, q) && is_series(v, q) &&
                       k->shape[1] == v->shape[1],
                   "autocorrelation: q [B, L, D], k and v [B, S, D] must be F32 and fit each other");
    const pml_correlation c = pml_correlation_of(q, k, options->n_delays);
    const bool is_rounded = options->is_rounded && c.n_steps % 2 == 1 && c.n_steps > 1;
    PML_OP_REQUIRE(c.n_delays > 0 && c.n_delays <= c.n_steps - is_rounded, "autocorrelation: %zu delays of %zu steps",
                   c.n_delays, c.n_steps);
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, q->shape, 3, y, error));
    const size_t mark = pml_context_mark(context), shape[] = {c.n_samples, c.n_steps};
    _Static_assert(sizeof(pml_delay) == 2 * sizeof(double), "two numbers are kept of each delay");
    PML_TRY(
        pml_context_tensor(context, PML_DTYPE_F64, (const size_t[]){c.n_samples, c.n_delays, 2}, 3, &delays, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F64, shape, 2, &means, error));
    correlate_job job = {.c = c,
                         .matmul = context->kernels.matmul_row_f32,
                         .q = pml_tensor_f32_const(q),
                         .k = pml_tensor_f32_const(k),
                         .v = pml_tensor_f32_const(v),
                         .y = pml_tensor_f32(y),
                         .means = pml_op_f64(&means),
                         .is_rounded = is_rounded,
                         .delays = (pml_delay *)(void *)pml_op_f64(&delays)};
    PML_TRY(run(context, &job, options->share_delays, error));
    pml_context_release(context, mark, NULL);
    PML_TRY(
        pml_tape_record(context->tape, &op_autocorrelation,
                        &(pml_op_attributes){.integer = {(int64_t)options->n_delays, options->share_delays, is_rounded},
                                             .data = job.delays},
                        (const pml_tensor *const[]){q, k, v}, 3, y, error));

done:
    return status;
}
