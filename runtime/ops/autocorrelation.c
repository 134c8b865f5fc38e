/* AutoCorrelation of Autoformer: series aligned by their most telling delays. Only the mean of the correlations over
 * columns is used, so it is taken in the time domain, as sums along the diagonals of q . kT, tile by tile: no spectrum
 * of any column is ever in memory, and no length is special. */
#include <math.h>

#include "runtime/ops/op.h"
#include "runtime/ops/signal.h"

#define TILE_ROWS 12u /* queries whose products with all keys are in memory at a time */

static const pml_op op_autocorrelation = {.name = "autocorrelation"};

typedef struct correlation { /* one call's scratch; L steps, S keys that count */
    size_t n_steps, n_keys, n_columns;
    pml_tensor keys;   /* [D, S] transposed */
    pml_tensor tile;   /* [TILE_ROWS, S] */
    pml_tensor means;  /* F64 [B, L] */
    pml_tensor shared; /* F64 [1, L]: the mean over the batch */
} correlation;

size_t pml_autocorrelation_work_bytes(size_t n_samples, size_t n_steps, size_t n_key_steps, size_t n_columns) {
    const size_t n_keys = n_key_steps < n_steps ? n_key_steps : n_steps;
    return PML_SUM(PML_FLOATS(n_columns, n_keys), PML_FLOATS(TILE_ROWS, n_keys), PML_FLOATS(2, n_samples, n_steps),
                   PML_FLOATS(2, n_steps));
}

static pml_status take_scratch(pml_context *context, size_t n_samples, correlation *c, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, (const size_t[]){c->n_columns, c->n_keys}, 2, &c->keys, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, (const size_t[]){TILE_ROWS, c->n_keys}, 2, &c->tile, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F64, (const size_t[]){n_samples, c->n_steps}, 2, &c->means, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F64, (const size_t[]){1, c->n_steps}, 2, &c->shared, error));

done:
    return status;
}

static void transpose_keys(const correlation *c, const float *k) {
    float *to = pml_tensor_f32(&c->keys);
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
static void correlate(pml_context *context, const correlation *c, const float *q, const float *k, double *r) {
    transpose_keys(c, k);
    memset(r, 0, c->n_steps * sizeof *r);
    for (size_t first = 0; first < c->n_steps; first += TILE_ROWS) {
        const size_t n_rows = c->n_steps - first < TILE_ROWS ? c->n_steps - first : TILE_ROWS;
        const pml_matmul job = {
            .m = n_rows,
            .k = c->n_columns,
            .n = c->n_keys,
            .x = q + first * c->n_columns,
            .x_stride = c->n_columns,
            .w = pml_tensor_f32(&c->keys),
            .y = pml_tensor_f32(&c->tile),
            .y_stride = c->n_keys,
        };
        context->kernels.matmul_row_f32(&job);
        for (size_t i = 0; i < n_rows; i++) {
            add_diagonal(r, pml_tensor_f32(&c->tile) + i * c->n_keys, c->n_steps, c->n_keys, first + i);
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
}

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

/* y [L, D] += weight * v, rolled to the left by `delay`. */
static void add_rolled(float *y, const float *v, const correlation *c, size_t delay, float weight) {
    for (size_t t = 0; t < c->n_steps; t++) {
        const size_t from = t + delay < c->n_steps ? t + delay : t + delay - c->n_steps;
        if (from >= c->n_keys) {
            continue;
        }
        const float *row = v + from * c->n_columns;
        float *to = y + t * c->n_columns;
        for (size_t d = 0; d < c->n_columns; d++) {
            to[d] += weight * row[d];
        }
    }
}

/* `order` says which delays, `r` how much each of them counts for this sample. */
static void aggregate(const correlation *c, const double *order, const double *r, const float *v, size_t n_delays,
                      float *y) {
    double greatest = -(double)INFINITY, total = 0;
    size_t delay = c->n_steps;
    for (size_t i = 0; i < n_delays; i++) {
        delay = next_delay(order, c->n_steps, delay);
        greatest = r[delay] > greatest ? r[delay] : greatest;
    }
    delay = c->n_steps;
    for (size_t i = 0; i < n_delays; i++) {
        delay = next_delay(order, c->n_steps, delay);
        total += exp(r[delay] - greatest);
    }
    memset(y, 0, c->n_steps * c->n_columns * sizeof *y);
    delay = c->n_steps;
    for (size_t i = 0; i < n_delays; i++) {
        delay = next_delay(order, c->n_steps, delay);
        add_rolled(y, v, c, delay, (float)(exp(r[delay] - greatest) / total));
    }
}

static void mean_over_batch(const correlation *c, size_t n_samples) {
    double *shared = pml_op_f64(&c->shared);
    const double *means = pml_op_f64_const(&c->means);
    for (size_t u = 0; u < c->n_steps; u++) {
        double sum = 0;
        for (size_t b = 0; b < n_samples; b++) {
            sum += means[b * c->n_steps + u];
        }
        shared[u] = sum / (double)n_samples;
    }
}

static bool is_series(const pml_tensor *tensor, const pml_tensor *like) {
    return pml_op_is(tensor, PML_DTYPE_F32) && tensor->rank == 3 && tensor->shape[0] == like->shape[0] &&
           tensor->shape[1] > 0 && tensor->shape[2] == like->shape[2];
}

pml_status pml_op_autocorrelation(pml_context *context, const pml_tensor *q, const pml_tensor *k, const pml_tensor *v,
                                  const pml_autocorrelation_options *options, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(q->rank == 3 && q->shape[2] > 0 && is_series(q, q) && is_series(k, q) && is_series(v, q) &&
                       k->shape[1] == v->shape[1],
                   "autocorrelation: q [B, L, D], k and v [B, S, D] must be F32 and fit each other");
    const size_t n_samples = q->shape[0], n_steps = q->shape[1], n_key_steps = k->shape[1], n_columns = q->shape[2];
    PML_OP_REQUIRE(options->n_delays > 0 && options->n_delays <= n_steps, "autocorrelation: %zu delays of %zu steps",
                   options->n_delays, n_steps);
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, q->shape, 3, y, error));
    const size_t mark = pml_context_mark(context);
    correlation c = {
        .n_steps = n_steps,
        .n_keys = n_key_steps < n_steps ? n_key_steps : n_steps,
        .n_columns = n_columns,
    };
    PML_TRY(take_scratch(context, n_samples, &c, error));
    double *means = pml_op_f64(&c.means);
    for (size_t b = 0; b < n_samples; b++) {
        correlate(context, &c, pml_tensor_f32_const(q) + b * n_steps * n_columns,
                  pml_tensor_f32_const(k) + b * n_key_steps * n_columns, means + b * n_steps);
    }
    if (options->share_delays) {
        mean_over_batch(&c, n_samples);
    }
    for (size_t b = 0; b < n_samples; b++) {
        const double *r = means + b * n_steps;
        aggregate(&c, options->share_delays ? pml_op_f64(&c.shared) : r, r,
                  pml_tensor_f32_const(v) + b * n_key_steps * n_columns, options->n_delays,
                  pml_tensor_f32(y) + b * n_steps * n_columns);
    }
    pml_context_release(context, mark, NULL);
    PML_TRY(pml_tape_record(context->tape, &op_autocorrelation,
                            &(pml_op_attributes){.integer = {(int64_t)options->n_delays, options->share_delays}},
                            (const pml_tensor *const[]){q, k, v}, 3, y, error));

done:
    return status;
}
