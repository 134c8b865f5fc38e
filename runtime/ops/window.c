/* What comes before the patches of a window: steps repeated behind it, and the moving average of decompositions. */
#include "runtime/ops/blocks.h"
#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"

/* ---- extend ---- */
/* The series whole (0), and its last step behind its end (1). */
static pml_blocks extend_blocks(const pml_tensor *x, size_t count, int part) {
    const size_t n_steps = x->shape[1], n_channels = x->shape[2], each = n_steps * n_channels;
    return (pml_blocks){.n = {x->shape[0], 1, part == 0 ? 1 : count},
                        .count = part == 0 ? each : n_channels,
                        .from = {each, 0, 0},
                        .to = {each + count * n_channels, 0, n_channels},
                        .first_x = part == 0 ? 0 : each - n_channels,
                        .first_y = part == 0 ? 0 : each};
}

static pml_status extend_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                  pml_error *error) {
    pml_status status = PML_OK;
    for (int part = 0; part < 2; part++) {
        const pml_blocks blocks = extend_blocks(&entry->inputs[0], (size_t)entry->attributes.integer[0], part);
        PML_TRY(pml_blocks_backward(context, gradients, &blocks, &entry->inputs[0], pml_gradient_out(gradients, entry),
                                    error));
    }

done:
    return status;
}

static const pml_op op_extend = {.name = "extend", .backward = extend_backward};

pml_status pml_op_extend(pml_context *context, const pml_tensor *x, size_t count, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && x->shape[1] > 0,
                   "extend: x must be F32 [B, T, C] with at least one step");
    size_t n_steps = x->shape[1], n_channels = x->shape[2];
    PML_OP_REQUIRE(count <= SIZE_MAX - n_steps, "extend: %zu steps are too many", count);
    const size_t shape[] = {x->shape[0], n_steps + count, n_channels};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 3, y, error));
    for (int part = 0; part < 2; part++) {
        const pml_blocks blocks = extend_blocks(x, count, part);
        pml_blocks_copy(context, &blocks, x, y);
    }
    PML_TRY(pml_tape_record(context->tape, &op_extend, &(pml_op_attributes){.integer = {(int64_t)count}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

/* ---- moving average ---- */
typedef struct averaging {
    ptrdiff_t n_steps, before, after; /* a window: steps t - before .. t + after */
    size_t n_channels, kernel;
    bool is_back; /* a gradient's way back: 0 stands for what lies outside; the ends get theirs afterwards */
    bool adds;    /* += instead of = */
    const float *from;
    float *to; /* [B][T][C] */
} averaging;

/* Channels that are summed side by side, and the longest window whose sums are kept. */
#define LANES 8u
#define MOST_BLOCK_STEPS 64u

/* A lane more than there are channels holds what follows in memory, and is never written. */
static void put(const averaging *job, float *to, const double sum[LANES], size_t n) {
    const double each = 1 / (double)job->kernel;
    float values[LANES];
    for (size_t c = 0; c < LANES; c++) {
        values[c] = (float)(sum[c] * each);
    }
    for (size_t c = 0; c < n; c++) {
        to[c] = job->adds ? to[c] + values[c] : values[c];
    }
}

/* sum += step t of x, whose sample ends at `end`, or what stands for it. */
static void take(const averaging *job, const float *x, const float *end, ptrdiff_t t, size_t n, double sum[LANES]) {
    if (t < 0 || t >= job->n_steps) {
        if (job->is_back) {
            return;
        }
        t = t < 0 ? 0 : job->n_steps - 1;
    }
    const float *step = x + (size_t)t * job->n_channels;
    if (end - step >= (ptrdiff_t)LANES) {
        for (size_t c = 0; c < LANES; c++) {
            sum[c] += (double)step[c];
        }
        return;
    }
    for (size_t c = 0; c < n; c++) {
        sum[c] += (double)step[c];
    }
}

/* Means of one sample for n <= LANES channels. Each window is summed afresh: a running sum would carry the rounding of
 * the steps that left it, and a NaN for ever. */
static void average_channels(const averaging *job, const float *x, const float *end, size_t n, float *y) {
    const float *last_step = x + (size_t)(job->n_steps - 1) * job->n_channels;
    for (ptrdiff_t t = 0; t < job->n_steps; t++) {
        const ptrdiff_t first = t - job->before < 0 ? 0 : t - job->before;
        const ptrdiff_t last = t + job->after >= job->n_steps ? job->n_steps - 1 : t + job->after;
        const double n_first = job->is_back ? 0 : (double)(first - (t - job->before));
        const double n_last = job->is_back ? 0 : (double)(t + job->after - last);
        double sum[LANES] = {0};
        for (size_t c = 0; c < n; c++) {
            sum[c] = (n_first > 0 ? n_first * (double)x[c] : 0) + (n_last > 0 ? n_last * (double)last_step[c] : 0);
        }
        for (ptrdiff_t i = first; i <= last; i++) {
            take(job, x, end, i, n, sum);
        }
        put(job, y + (size_t)t * job->n_channels, sum, n);
    }
}

/* The same in few additions: a window is the end of one run of `kernel` steps and the beginning of the next, both
 * summed from where they meet, so that it still holds nothing but its own steps. */
static void average_blocks(const averaging *job, const float *x, const float *end, size_t n, float *y) {
    const ptrdiff_t kernel = (ptrdiff_t)job->kernel;
    double ends[MOST_BLOCK_STEPS][LANES], sum[LANES], whole[LANES];
    for (ptrdiff_t first = 0; first < job->n_steps; first += kernel) {
        const ptrdiff_t begin = first - job->before; /* of the window of step `first` */
        memset(sum, 0, sizeof sum);
        for (ptrdiff_t i = kernel; i-- > 0;) {
            take(job, x, end, begin + i, n, sum);
            memcpy(ends[i], sum, sizeof sum);
        }
        memset(sum, 0, sizeof sum);
        for (ptrdiff_t i = 0; i < kernel && first + i < job->n_steps; i++) {
            for (size_t c = 0; c < LANES; c++) {
                whole[c] = ends[i][c] + sum[c];
            }
            put(job, y + (size_t)(first + i) * job->n_channels, whole, n);
            take(job, x, end, begin + kernel + i, n, sum);
        }
    }
}

/* What the first and the last step get for those that they stood for. */
static void return_ends(const averaging *job, const float *g, size_t n, float *dx) {
    double first[LANES] = {0}, last[LANES] = {0};
    for (ptrdiff_t t = 0; t < job->n_steps; t++) {
        /* windows of the average itself: `after` steps before their own, `before` behind it */
        const ptrdiff_t n_first = job->after - t, n_last = t + job->before - (job->n_steps - 1);
        for (size_t c = 0; c < n; c++) {
            const double value = (double)g[(size_t)t * job->n_channels + c];
            first[c] += n_first > 0 ? (double)n_first * value : 0;
            last[c] += n_last > 0 ? (double)n_last * value : 0;
        }
    }
    for (size_t c = 0; c < n; c++) {
        dx[c] += (float)(first[c] / (double)job->kernel);
        dx[(size_t)(job->n_steps - 1) * job->n_channels + c] += (float)(last[c] / (double)job->kernel);
    }
}

/* Items are samples. */
static void average_samples(void *user, size_t begin, size_t end) {
    const averaging *job = user;
    const size_t each = (size_t)job->n_steps * job->n_channels;
    for (size_t at = begin * each; at < end * each; at += each) {
        for (size_t c = 0; c < job->n_channels; c += LANES) {
            const size_t n = job->n_channels - c < LANES ? job->n_channels - c : LANES;
            if (job->kernel <= MOST_BLOCK_STEPS) {
                average_blocks(job, job->from + at + c, job->from + at + each, n, job->to + at + c);
            } else {
                average_channels(job, job->from + at + c, job->from + at + each, n, job->to + at + c);
            }
            if (job->is_back) {
                return_ends(job, job->from + at + c, n, job->to + at + c);
            }
        }
    }
}

static void average_all(pml_context *context, const pml_tensor *x, size_t kernel, averaging *job) {
    const ptrdiff_t half = (ptrdiff_t)(kernel / 2), rest = (ptrdiff_t)((kernel - 1) / 2);
    job->n_steps = (ptrdiff_t)x->shape[1];
    job->n_channels = x->shape[2];
    job->kernel = kernel;
    job->before = job->is_back ? rest : half; /* step s is in the windows of s - rest .. s + half */
    job->after = job->is_back ? half : rest;
    pml_context_ranges(context, job->n_channels == 0 ? 0 : x->shape[0], 1, 4 * PML_COST_VALUES(pml_tensor_count(x)),
                       average_samples, job);
}

static pml_status moving_average_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                          pml_error *error) {
    pml_status status = PML_OK;
    averaging job = {.is_back = true, .from = pml_gradient_out(gradients, entry)};
    bool is_new;
    PML_TRY(pml_gradient_begin(gradients, &entry->inputs[0], &job.to, &is_new, error));
    job.adds = !is_new;
    if (job.to != NULL) {
        average_all(context, &entry->inputs[0], (size_t)entry->attributes.integer[0], &job);
    }

done:
    return status;
}

static const pml_op op_moving_average = {.name = "moving_average", .backward = moving_average_backward};

pml_status pml_op_moving_average(pml_context *context, const pml_tensor *x, size_t kernel, pml_tensor *y,
                                 pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && x->shape[1] > 0,
                   "moving_average: x must be F32 [B, T, C] with at least one step");
    PML_OP_REQUIRE(kernel > 0 && kernel <= PTRDIFF_MAX / 2, "moving_average: a window of %zu steps", kernel);
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    averaging job = {.from = pml_tensor_f32_const(x), .to = pml_tensor_f32(y)};
    average_all(context, x, kernel, &job);
    PML_TRY(pml_tape_record(context->tape, &op_moving_average, &(pml_op_attributes){.integer = {(int64_t)kernel}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

pml_status pml_op_decompose(pml_context *context, const pml_tensor *x, size_t kernel, pml_tensor *seasonal,
                            pml_tensor *trend, pml_error *error) {
    const pml_status status = pml_op_moving_average(context, x, kernel, trend, error);
    return status == PML_OK ? pml_op_subtract(context, x, trend, seasonal, error) : status;
}
