/* Series around their mean over time, and continued behind their end. */
#include "runtime/ops/blocks.h"
#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"
#include "runtime/ops/signal.h"

/* Channels whose sums are held at once. */
#define LANES 16u

/* Means over the steps of one sample for channels c .. c + n - 1, n <= LANES. */
static void mean_channels(const float *x, size_t n_steps, size_t n_channels, size_t n, double mean[LANES]) {
    double sum[LANES] = {0};
    for (size_t t = 0; t < n_steps; t++) {
        for (size_t c = 0; c < n; c++) {
            sum[c] += (double)x[t * n_channels + c];
        }
    }
    for (size_t c = 0; c < n; c++) {
        mean[c] = sum[c] / (double)n_steps;
    }
}

typedef struct centering {
    size_t n_steps, n_channels;
    bool adds;
    const float *from; /* [B][T][C] */
    float *to;
} centering;

/* Items are samples. */
static void center_samples(void *user, size_t begin, size_t end) {
    const centering *job = user;
    const size_t n_channels = job->n_channels, each = job->n_steps * n_channels;
    for (size_t at = begin * each; at < end * each; at += each) {
        for (size_t c = 0; c < n_channels; c += LANES) {
            const size_t n = n_channels - c < LANES ? n_channels - c : LANES;
            double mean[LANES];
            mean_channels(job->from + at + c, job->n_steps, n_channels, n, mean);
            for (size_t t = 0; t < each; t += n_channels) {
                const float *from = job->from + at + t + c;
                float *to = job->to + at + t + c;
                for (size_t i = 0; i < n; i++) {
                    const float value = (float)((double)from[i] - mean[i]);
                    to[i] = job->adds ? to[i] + value : value;
                }
            }
        }
    }
}

static void center_all(pml_context *context, const pml_tensor *x, centering *job) {
    job->n_steps = x->shape[1];
    job->n_channels = x->shape[2];
    pml_context_ranges(context, job->n_channels == 0 ? 0 : x->shape[0], 1, PML_COST_VALUES(pml_tensor_count(x)),
                       center_samples, job);
}

/* The same map: a gradient less its mean over time. */
static pml_status center_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                  pml_error *error) {
    pml_status status = PML_OK;
    centering job = {.from = pml_gradient_out(gradients, entry)};
    bool is_new;
    PML_TRY(pml_gradient_begin(gradients, &entry->inputs[0], &job.to, &is_new, error));
    job.adds = !is_new;
    if (job.to != NULL) {
        center_all(context, &entry->inputs[0], &job);
    }

done:
    return status;
}

static const pml_op op_center = {.name = "center", .backward = center_backward};

pml_status pml_op_center(pml_context *context, const pml_tensor *x, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && x->shape[1] > 0,
                   "center: x must be F32 [B, T, C] with at least one step");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, 3, y, error));
    centering job = {.from = pml_tensor_f32_const(x), .to = pml_tensor_f32(y)};
    center_all(context, x, &job);
    PML_TRY(pml_tape_record(context->tape, &op_center, NULL, (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

/* n_more steps [n_more, C] of the mean of one sample's level [U, C]. */
static void put_level(const float *level, size_t n_steps, size_t n_channels, size_t n_more, float *y) {
    for (size_t c = 0; c < n_channels; c += LANES) {
        const size_t n = n_channels - c < LANES ? n_channels - c : LANES;
        double mean[LANES];
        mean_channels(level + c, n_steps, n_channels, n, mean);
        for (size_t t = 0; t < n_more; t++) {
            for (size_t i = 0; i < n; i++) {
                y[t * n_channels + c + i] = (float)mean[i];
            }
        }
    }
}

/* d level [U, C] += what the mean over U has of each of n_more steps of g. */
static void add_level_gradient(const float *g, size_t n_more, size_t n_channels, size_t n_steps, float *level) {
    for (size_t c = 0; c < n_channels; c += LANES) {
        const size_t n = n_channels - c < LANES ? n_channels - c : LANES;
        double sum[LANES];
        mean_channels(g + c, n_more, n_channels, n, sum); /* n_more of those, each shared by n_steps */
        for (size_t t = 0; t < n_steps; t++) {
            for (size_t i = 0; i < n; i++) {
                level[t * n_channels + c + i] += (float)(sum[i] * (double)n_more / (double)n_steps);
            }
        }
    }
}

/* The last `count` steps of x. */
static pml_blocks last_blocks(const pml_tensor *x, size_t count, size_t n_more) {
    const size_t n_channels = x->shape[2];
    return (pml_blocks){.n = {x->shape[0], 1, 1},
                        .count = count * n_channels,
                        .from = {x->shape[1] * n_channels},
                        .to = {(count + n_more) * n_channels},
                        .first_x = (x->shape[1] - count) * n_channels};
}

static pml_status continue_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                    pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0], *level = &entry->inputs[1];
    const size_t count = (size_t)entry->attributes.integer[0], n_more = (size_t)entry->attributes.integer[1];
    const float *g = pml_gradient_out(gradients, entry);
    const pml_blocks blocks = last_blocks(x, count, n_more);
    float *to;
    PML_TRY(pml_blocks_backward(context, gradients, &blocks, x, g, error));
    PML_TRY(pml_gradient_of(gradients, level, &to, error));
    for (size_t b = 0; to != NULL && n_more > 0 && b < x->shape[0]; b++) {
        add_level_gradient(g + (b * (count + n_more) + count) * x->shape[2], n_more, x->shape[2], level->shape[1],
                           to + b * level->shape[1] * x->shape[2]);
    }

done:
    return status;
}

static const pml_op op_continue = {.name = "continue", .backward = continue_backward};

pml_status pml_op_continue(pml_context *context, const pml_tensor *x, size_t count, const pml_tensor *level,
                           size_t n_more, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && count <= x->shape[1],
                   "continue: x must be F32 [B, T, C] with %zu steps or more", count);
    PML_OP_REQUIRE(level == NULL || (pml_op_is(level, PML_DTYPE_F32) && level->rank == 3 && level->shape[1] > 0 &&
                                     level->shape[0] == x->shape[0] && level->shape[2] == x->shape[2]),
                   "continue: the level must be F32 [B, U, C] like x");
    PML_OP_REQUIRE(n_more <= SIZE_MAX - count, "continue: %zu steps are too many", n_more);
    const size_t n_channels = x->shape[2];
    const size_t shape[] = {x->shape[0], count + n_more, n_channels};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 3, y, error));
    const pml_blocks blocks = last_blocks(x, count, n_more);
    pml_blocks_copy(context, &blocks, x, y);
    for (size_t b = 0; b < x->shape[0]; b++) {
        float *to = pml_tensor_f32(y) + (b * shape[1] + count) * n_channels;
        if (level == NULL) {
            memset(to, 0, n_more * n_channels * sizeof *to);
        } else {
            put_level(pml_tensor_f32_const(level) + b * level->shape[1] * n_channels, level->shape[1], n_channels,
                      n_more, to);
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op_continue,
                            &(pml_op_attributes){.integer = {(int64_t)count, (int64_t)n_more}},
                            (const pml_tensor *const[]){x, level}, 2, y, error));

done:
    return status;
}
