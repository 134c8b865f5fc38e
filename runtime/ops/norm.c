/* Layer norm and batch norm over the last axis. */
#include <math.h>

#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/split.h"

/* Rows of a part, whose sums a thread takes: at least. */
#define LEAST_ROWS 64u

/* ---- sums over rows ---- */
typedef struct part_sums {
    const pml_context *context;
    pml_row_parts parts;
    pml_layer_norm_gradient layer; /* of all rows; or, where its x is NULL: */
    pml_column_sums columns;
    size_t n;
    double *totals; /* [n_parts][2][n] */
} part_sums;

static void sum_parts(void *user, size_t begin, size_t end) {
    const part_sums *job = user;
    for (size_t i = begin; i < end; i++) {
        double *totals = job->totals + i * 2 * job->n;
        const size_t first = i * job->parts.part_rows, left = job->parts.n_rows - first;
        const size_t n_rows = left < job->parts.part_rows ? left : job->parts.part_rows;
        memset(totals, 0, 2 * job->n * sizeof *totals);
        if (job->layer.x != NULL) {
            pml_layer_norm_gradient part = job->layer;
            part.n_rows = n_rows;
            part.x += first * job->n;
            part.dy += first * job->n;
            part.dx = part.dx == NULL ? NULL : part.dx + first * job->n;
            part.dweight = totals;
            part.dbias = totals + job->n;
            job->context->kernels.layer_norm_gradient_f32(&part);
        } else {
            pml_column_sums part = job->columns;
            part.n_rows = n_rows;
            part.x += first * job->n;
            part.z = part.z == NULL ? NULL : part.z + first * job->n;
            part.products = totals;
            part.sums = totals + job->n;
            job->context->kernels.column_sums_f32(&part);
        }
    }
}

/* Runs the job's parts and leaves the sums of all in the first one's, in the order of the parts. `totals` has room for
 * part_doubles. */
static void run_parts(pml_context *context, part_sums *job) {
    const size_t n = 2 * job->n;
    pml_context_ranges(context, job->parts.n_parts, 1, PML_COST_VALUES((double)job->parts.n_rows * (double)job->n),
                       sum_parts, job);
    for (size_t i = 1; i < job->parts.n_parts; i++) {
        for (size_t c = 0; c < n; c++) {
            job->totals[c] += job->totals[i * n + c];
        }
    }
}

static size_t part_doubles(const part_sums *job) {
    return (job->parts.n_parts > 0 ? job->parts.n_parts : 1) * 2 * job->n;
}

/* ---- backward ---- */
/* The factors of dx [rows][n] = a * dy + b * (x - mean) + shift. */
typedef struct slopes {
    size_t n;
    const float *x, *dy, *mean;
    const float *a, *b, *shift; /* [n]; b NULL: it and the shift are 0 */
    float *dx;
    bool adds;
} slopes;

static void apply_slopes(void *user, size_t begin, size_t end) {
    const slopes *job = user;
    const size_t n = job->n;
    const float *restrict a = job->a, *restrict b = job->b, *restrict shift = job->shift, *restrict mean = job->mean;
    for (size_t r = begin; r < end; r++) {
        const float *restrict x = job->x + r * n, *restrict dy = job->dy + r * n;
        float *restrict dx = job->dx + r * n;
        if (!job->adds) {
            memset(dx, 0, n * sizeof *dx);
        }
        if (b == NULL) {
            for (size_t c = 0; c < n; c++) {
                dx[c] += a[c] * dy[c];
            }
        } else {
            for (size_t c = 0; c < n; c++) {
                dx[c] += a[c] * dy[c] + (b[c] * (x[c] - mean[c]) + shift[c]);
            }
        }
    }
}

static void add_sums(const double *sums, const double *factors, size_t n, float *to) {
    for (size_t c = 0; to != NULL && c < n; c++) {
        to[c] += (float)(factors == NULL ? sums[c] : sums[c] * factors[c]);
    }
}

/* Batch norms of all processes share these. */
static void sum_everywhere(const pml_training *training, double *values, size_t count) {
    if (training != NULL && training->sum != NULL) {
        training->sum(training->sum_user, values, count);
    }
}

static pml_status backward_batch(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                 pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0];
    const size_t n = pml_tensor_columns(x), n_rows = pml_tensor_rows(x);
    const float *mean = pml_tensor_f32_const(&entry->inputs[3]), *variance = pml_tensor_f32_const(&entry->inputs[4]);
    const float *weight = pml_tensor_f32_const(&entry->inputs[1]), *dy = pml_gradient_out(gradients, entry);
    float *dweight, *dbias, *dx, *scratch;
    bool is_new;
    PML_TRY(pml_gradient_begin(gradients, x, &dx, &is_new, error));
    part_sums job = {.context = context,
                     .parts = pml_row_parts_of(n_rows, LEAST_ROWS),
                     .columns = {.n_columns = n, .x = pml_tensor_f32_const(x), .z = dy, .stride = n, .shift = mean},
                     .n = n};
    PML_TRY(pml_gradients_scratch(gradients, 2 * (part_doubles(&job) + n) + 3 * n, &scratch, error));
    job.totals = (double *)(void *)scratch;
    double *scale = job.totals + part_doubles(&job);
    float *a = (float *)(void *)(scale + n), *b = a + n, *shift = b + n;
    run_parts(context, &job);
    for (size_t c = 0; c < n; c++) {
        scale[c] = 1.0 / sqrt((double)variance[c] + entry->attributes.real);
    }
    /* Weight and bias get the sums of this process: gradients are added up later. */
    PML_TRY(pml_gradient_of(gradients, &entry->inputs[1], &dweight, error));
    add_sums(job.totals, scale, n, dweight);
    PML_TRY(pml_gradient_of(gradients, &entry->inputs[2], &dbias, error));
    add_sums(job.totals + n, NULL, n, dbias);
    const bool is_of_x = entry->attributes.integer[1] != 0;
    if (is_of_x) {
        sum_everywhere(context->training, job.totals, 2 * n);
    }
    /* Rows that count nothing have no part in the statistics. */
    const bool has_part = is_of_x && (context->training == NULL || !context->training->is_silent);
    const double n_everywhere = (double)entry->attributes.integer[2];
    for (size_t c = 0; c < n; c++) {
        const double factor = (double)weight[c] * scale[c];
        a[c] = (float)factor;
        b[c] = (float)(-factor * scale[c] * scale[c] * job.totals[c] / n_everywhere);
        shift[c] = (float)(-factor * job.totals[n + c] / n_everywhere);
    }
    if (dx != NULL) {
        slopes all = {n, job.columns.x, dy, mean, a, has_part ? b : NULL, shift, dx, !is_new};
        pml_context_ranges(context, n_rows, 1, PML_COST_VALUES((double)n_rows * (double)n), apply_slopes, &all);
    }

done:
    return status;
}

static pml_status backward_layer(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                 pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0];
    const size_t n = pml_tensor_columns(x);
    float *dweight, *dbias, *scratch;
    bool is_new;
    part_sums job = {.context = context,
                     .parts = pml_row_parts_of(pml_tensor_rows(x), LEAST_ROWS),
                     .layer = {.n_columns = n,
                               .x = pml_tensor_f32_const(x),
                               .dy = pml_gradient_out(gradients, entry),
                               .weight = pml_tensor_f32_const(&entry->inputs[1]),
                               .eps = entry->attributes.real},
                     .n = n};
    PML_TRY(pml_gradient_begin(gradients, x, &job.layer.dx, &is_new, error));
    job.layer.adds = !is_new;
    PML_TRY(pml_gradients_scratch(gradients, 2 * part_doubles(&job), &scratch, error));
    job.totals = (double *)(void *)scratch;
    run_parts(context, &job);
    PML_TRY(pml_gradient_of(gradients, &entry->inputs[1], &dweight, error));
    add_sums(job.totals, NULL, n, dweight);
    PML_TRY(pml_gradient_of(gradients, &entry->inputs[2], &dbias, error));
    add_sums(job.totals + n, NULL, n, dbias);

done:
    return status;
}

static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                           pml_error *error) {
    return (entry->attributes.integer[0] == PML_NORM_BATCH ? backward_batch : backward_layer)(context, gradients, entry,
                                                                                              error);
}

static const pml_op op = {.name = "norm", .backward = backward};

/* ---- forward ---- */
static void move_running(float *running, double value) {
    *running = (float)((1 - PML_NORM_MOMENTUM) * (double)*running + PML_NORM_MOMENTUM * value);
}

/* Means of the columns and sums of squared distances from them, out of what lies on each process: in two steps, because
 * squares of what is far from 0 would leave nothing of the distances. `sums` [3 n + 2]: the number of rows, n means, n
 * squares, the rest for the use of this function. */
static void join_statistics(const pml_training *training, double *sums, size_t n) {
    double *squares = sums + n + 1;
    const double n_rows = training->is_silent ? 0 : sums[0];
    const double *means = sums + 1;
    double *joint = squares + n; /* [n + 1] */
    joint[0] = n_rows;
    for (size_t c = 0; c < n; c++) {
        joint[1 + c] = n_rows * means[c];
    }
    sum_everywhere(training, joint, n + 1);
    for (size_t c = 0; c < n; c++) {
        const double mean = joint[1 + c] / joint[0], distance = means[c] - mean;
        squares[c] = training->is_silent ? 0 : squares[c] + n_rows * distance * distance;
        sums[1 + c] = mean;
    }
    sums[0] = joint[0];
    sum_everywhere(training, squares, n);
}

/* Mean and variance of the columns of x as tensors of the step; they go into the running ones. *n_everywhere: rows of
 * all processes. */
static pml_status batch_statistics(pml_context *context, const pml_tensor *x, const pml_norm *norm, pml_tensor *mean,
                                   pml_tensor *variance, double *n_everywhere, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n = pml_tensor_columns(x), n_rows = pml_tensor_rows(x);
    PML_OP_REQUIRE(n_rows > 0, "norm: statistics of a batch need a row");
    /* Distances from the first row: the squares of what is far from 0 would leave nothing of the variance. */
    const float *first = pml_tensor_f32_const(x);
    part_sums job = {.context = context,
                     .parts = pml_row_parts_of(n_rows, LEAST_ROWS),
                     .columns = {.n_columns = n, .x = first, .stride = n, .shift = first},
                     .n = n};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &n, 1, mean, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &n, 1, variance, error));
    const size_t n_joint = 3 * n + 2;
    PML_TRY(pml_context_quantized(context, pml_context_bytes(part_doubles(&job) + n_joint, sizeof *job.totals), error));
    job.totals = context->quantized;
    double *sums = job.totals + part_doubles(&job), *squares = sums + n + 1;
    run_parts(context, &job);
    sums[0] = (double)n_rows;
    for (size_t c = 0; c < n; c++) {
        const double distance = job.totals[n + c] / (double)n_rows;
        sums[1 + c] = (double)first[c] + distance;
        squares[c] = fmax(job.totals[c] - distance * job.totals[n + c], 0.0);
    }
    if (context->training->sum != NULL) {
        join_statistics(context->training, sums, n);
    }
    PML_OP_REQUIRE(sums[0] > 1, "norm: statistics of a batch need more than one row");
    *n_everywhere = sums[0];
    pml_tensor running_mean = norm->mean, running_variance = norm->variance;
    for (size_t c = 0; c < n; c++) {
        pml_tensor_f32(mean)[c] = (float)sums[1 + c];
        pml_tensor_f32(variance)[c] = (float)(squares[c] / sums[0]);
        if (!context->training->is_again) {
            move_running(pml_tensor_f32(&running_mean) + c, sums[1 + c]);
            move_running(pml_tensor_f32(&running_variance) + c, squares[c] / (sums[0] - 1));
        }
    }

done:
    return status;
}

static pml_status check(const pml_tensor *x, const pml_norm *norm, bool has_bias, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank >= 1, "norm: x must be F32 of rank 1 or more");
    const size_t n_columns = pml_tensor_columns(x);
    PML_OP_REQUIRE(pml_op_is_vector(&norm->weight, n_columns) &&
                       (!has_bias || pml_op_is_vector(&norm->bias, n_columns)),
                   "norm: weight and bias must have %zu elements", n_columns);
    PML_OP_REQUIRE(norm->kind == PML_NORM_LAYER ||
                       (pml_op_is_vector(&norm->mean, n_columns) && pml_op_is_vector(&norm->variance, n_columns)),
                   "norm: mean and variance must have %zu elements", n_columns);

done:
    return status;
}

pml_status pml_op_norm(pml_context *context, const pml_tensor *x, const pml_norm *norm, pml_tensor *y,
                       pml_error *error) {
    pml_status status = PML_OK;
    const bool is_batch = norm->kind == PML_NORM_BATCH, is_of_x = is_batch && context->training != NULL;
    const bool has_bias = is_batch || norm->bias.dtype != PML_DTYPE_NONE;
    pml_tensor mean = norm->mean, variance = norm->variance;
    double n_everywhere = (double)pml_tensor_rows(x);
    PML_TRY(check(x, norm, has_bias, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    if (is_of_x) {
        PML_TRY(batch_statistics(context, x, norm, &mean, &variance, &n_everywhere, error));
    }
    if (!is_batch) {
        pml_split_layer_norm(context, &(pml_layer_norm){
                                          .n_rows = pml_tensor_rows(x),
                                          .n_columns = pml_tensor_columns(x),
                                          .x = pml_tensor_f32_const(x),
                                          .y = pml_tensor_f32(y),
                                          .weight = pml_tensor_f32_const(&norm->weight),
                                          .bias = has_bias ? pml_tensor_f32_const(&norm->bias) : NULL,
                                          .eps = norm->eps,
                                      });
    } else {
        pml_split_batch_norm(context, &(pml_batch_norm){
                                          .n_rows = pml_tensor_rows(x),
                                          .n_columns = pml_tensor_columns(x),
                                          .x = pml_tensor_f32_const(x),
                                          .y = pml_tensor_f32(y),
                                          .mean = pml_tensor_f32_const(&mean),
                                          .variance = pml_tensor_f32_const(&variance),
                                          .weight = pml_tensor_f32_const(&norm->weight),
                                          .bias = pml_tensor_f32_const(&norm->bias),
                                          .eps = norm->eps,
                                      });
    }
    PML_TRY(pml_tape_record(
        context->tape, &op,
        &(pml_op_attributes){.real = norm->eps, .integer = {(int64_t)norm->kind, is_of_x, (int64_t)n_everywhere}},
        (const pml_tensor *const[]){x, &norm->weight, has_bias ? &norm->bias : NULL, is_batch ? &mean : NULL,
                                    is_batch ? &variance : NULL},
        5, y, error));

done:
    return status;
}
