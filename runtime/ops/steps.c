/* Series around their mean over time, and continued behind their end. */
#include "runtime/ops/op.h"
#include "runtime/ops/signal.h"

static const pml_op op_center = {.name = "center"};
static const pml_op op_continue = {.name = "continue"};

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

pml_status pml_op_center(pml_context *context, const pml_tensor *x, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && x->shape[1] > 0,
                   "center: x must be F32 [B, T, C] with at least one step");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, 3, y, error));
    const size_t n_steps = x->shape[1], n_channels = x->shape[2];
    for (size_t b = 0; b < x->shape[0]; b++) {
        const float *from = pml_tensor_f32_const(x) + b * n_steps * n_channels;
        float *to = pml_tensor_f32(y) + b * n_steps * n_channels;
        for (size_t c = 0; c < n_channels; c += LANES) {
            const size_t n = n_channels - c < LANES ? n_channels - c : LANES;
            double mean[LANES];
            mean_channels(from + c, n_steps, n_channels, n, mean);
            for (size_t t = 0; t < n_steps; t++) {
                for (size_t i = 0; i < n; i++) {
                    to[t * n_channels + c + i] = (float)((double)from[t * n_channels + c + i] - mean[i]);
                }
            }
        }
    }
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

pml_status pml_op_continue(pml_context *context, const pml_tensor *x, size_t count, const pml_tensor *level,
                           size_t n_more, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && count <= x->shape[1],
                   "continue: x must be F32 [B, T, C] with %zu steps or more", count);
    PML_OP_REQUIRE(level == NULL || (pml_op_is(level, PML_DTYPE_F32) && level->rank == 3 && level->shape[1] > 0 &&
                                     level->shape[0] == x->shape[0] && level->shape[2] == x->shape[2]),
                   "continue: the level must be F32 [B, U, C] like x");
    PML_OP_REQUIRE(n_more <= SIZE_MAX - count, "continue: %zu steps are too many", n_more);
    const size_t n_steps = x->shape[1], n_channels = x->shape[2];
    const size_t shape[] = {x->shape[0], count + n_more, n_channels};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 3, y, error));
    for (size_t b = 0; b < x->shape[0]; b++) {
        const float *from = pml_tensor_f32_const(x) + ((b + 1) * n_steps - count) * n_channels;
        float *to = pml_tensor_f32(y) + b * shape[1] * n_channels;
        memcpy(to, from, count * n_channels * sizeof *to);
        to += count * n_channels;
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
