/* What comes before the patches of a window: steps repeated behind it, and the moving average of decompositions. */
#include "runtime/ops/op.h"

static const pml_op op_extend = {.name = "extend"};
static const pml_op op_moving_average = {.name = "moving_average"};

pml_status pml_op_extend(pml_context *context, const pml_tensor *x, size_t count, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && x->shape[1] > 0,
                   "extend: x must be F32 [B, T, C] with at least one step");
    size_t n_steps = x->shape[1], n_channels = x->shape[2];
    PML_OP_REQUIRE(count <= SIZE_MAX - n_steps, "extend: %zu steps are too many", count);
    const size_t shape[] = {x->shape[0], n_steps + count, n_channels};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 3, y, error));
    const float *from = pml_tensor_f32_const(x);
    float *to = pml_tensor_f32(y);
    for (size_t b = 0; b < x->shape[0]; b++) {
        memcpy(to, from, n_steps * n_channels * sizeof *to);
        from += n_steps * n_channels;
        to += n_steps * n_channels;
        for (size_t i = 0; i < count; i++, to += n_channels) {
            memcpy(to, from - n_channels, n_channels * sizeof *to);
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op_extend, &(pml_op_attributes){.integer = {(int64_t)count}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

/* Means of one sample for channels c .. c + n - 1, n <= LANES. Each window is summed afresh: a running sum would carry
 * the rounding of the steps that left it, and a NaN for ever. */
#define LANES 8u
static void average_channels(const float *x, ptrdiff_t n_steps, size_t n_channels, size_t kernel, size_t n, float *y) {
    const ptrdiff_t before = (ptrdiff_t)(kernel / 2), after = (ptrdiff_t)((kernel - 1) / 2);
    const float *end = x + (size_t)(n_steps - 1) * n_channels;
    for (ptrdiff_t t = 0; t < n_steps; t++) {
        const ptrdiff_t first = t - before < 0 ? 0 : t - before, last = t + after >= n_steps ? n_steps - 1 : t + after;
        const double n_first = (double)(first - (t - before)), n_last = (double)(t + after - last);
        double sum[LANES] = {0};
        for (size_t c = 0; c < n; c++) {
            sum[c] = (n_first > 0 ? n_first * (double)x[c] : 0) + (n_last > 0 ? n_last * (double)end[c] : 0);
        }
        for (ptrdiff_t i = first; i <= last; i++) {
            const float *step = x + (size_t)i * n_channels;
            for (size_t c = 0; c < n; c++) {
                sum[c] += (double)step[c];
            }
        }
        for (size_t c = 0; c < n; c++) {
            y[(size_t)t * n_channels + c] = (float)(sum[c] / (double)kernel);
        }
    }
}

/* The same in few additions: a window is the end of one run of `kernel` steps and the beginning of the next, both
 * summed from where they meet, so that it still holds nothing but its own steps. */
#define MOST_BLOCK_STEPS 64u
static void average_blocks(const float *x, ptrdiff_t n_steps, size_t n_channels, ptrdiff_t kernel, size_t n, float *y) {
    double ends[MOST_BLOCK_STEPS][LANES], sum[LANES];
    for (ptrdiff_t first = 0; first < n_steps; first += kernel) {
        const ptrdiff_t begin = first - kernel / 2; /* of the window of step `first` */
        memset(sum, 0, sizeof sum);
        for (ptrdiff_t i = kernel; i-- > 0;) {
            const ptrdiff_t t = begin + i < 0 ? 0 : begin + i >= n_steps ? n_steps - 1 : begin + i;
            for (size_t c = 0; c < n; c++) {
                sum[c] += (double)x[(size_t)t * n_channels + c];
                ends[i][c] = sum[c];
            }
        }
        memset(sum, 0, sizeof sum);
        for (ptrdiff_t i = 0; i < kernel && first + i < n_steps; i++) {
            for (size_t c = 0; c < n; c++) {
                y[(size_t)(first + i) * n_channels + c] = (float)((ends[i][c] + sum[c]) / (double)kernel);
            }
            const ptrdiff_t next = begin + kernel + i;
            const ptrdiff_t t = next < 0 ? 0 : next >= n_steps ? n_steps - 1 : next;
            for (size_t c = 0; c < n; c++) {
                sum[c] += (double)x[(size_t)t * n_channels + c];
            }
        }
    }
}

pml_status pml_op_moving_average(pml_context *context, const pml_tensor *x, size_t kernel, pml_tensor *y,
                                 pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && x->shape[1] > 0,
                   "moving_average: x must be F32 [B, T, C] with at least one step");
    PML_OP_REQUIRE(kernel > 0 && kernel <= PTRDIFF_MAX / 2, "moving_average: a window of %zu steps", kernel);
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    const size_t n_steps = x->shape[1], n_channels = x->shape[2];
    for (size_t b = 0; b < x->shape[0]; b++) {
        const float *from = pml_tensor_f32_const(x) + b * n_steps * n_channels;
        float *to = pml_tensor_f32(y) + b * n_steps * n_channels;
        for (size_t c = 0; c < n_channels; c += LANES) {
            const size_t n = n_channels - c < LANES ? n_channels - c : LANES;
            if (kernel <= MOST_BLOCK_STEPS) {
                average_blocks(from + c, (ptrdiff_t)n_steps, n_channels, (ptrdiff_t)kernel, n, to + c);
            } else {
                average_channels(from + c, (ptrdiff_t)n_steps, n_channels, kernel, n, to + c);
            }
        }
    }
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
