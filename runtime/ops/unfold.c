/* Steps side by side with their neighbours: a convolution becomes a product with the panels of its weight. */
#include "runtime/ops/op.h"
#include "runtime/ops/signal.h"

static const pml_op op_unfold = {.name = "unfold"};

/* Tap i of all steps of one sample: rows offset .. offset + T - 1 of x into a column block of y. */
static void unfold_tap(const float *x, size_t n_steps, size_t n_channels, ptrdiff_t offset, pml_unfold_padding padding,
                       float *y, size_t y_stride) {
    const ptrdiff_t n = (ptrdiff_t)n_steps;
    for (ptrdiff_t t = 0; t < n; t++) {
        ptrdiff_t from = t + offset;
        if (from < 0 || from >= n) {
            if (padding == PML_UNFOLD_ZERO) {
                memset(y + (size_t)t * y_stride, 0, n_channels * sizeof *y);
                continue;
            }
            from += from < 0 ? n : -n;
        }
        memcpy(y + (size_t)t * y_stride, x + (size_t)from * n_channels, n_channels * sizeof *y);
    }
}

pml_status pml_op_unfold(pml_context *context, const pml_tensor *x, size_t taps, pml_unfold_padding padding,
                         pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && x->shape[1] > 0,
                   "unfold: x must be F32 [B, T, C] with at least one step");
    const size_t n_steps = x->shape[1], n_channels = x->shape[2];
    PML_OP_REQUIRE(taps % 2 == 1 && (padding == PML_UNFOLD_ZERO || taps / 2 <= n_steps) &&
                       (n_channels == 0 || taps <= (size_t)PTRDIFF_MAX / n_channels),
                   "unfold: %zu taps do not fit %zu steps", taps, n_steps);
    const size_t shape[] = {x->shape[0], n_steps, taps * n_channels};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 3, y, error));
    for (size_t b = 0; b < x->shape[0]; b++) {
        const float *from = pml_tensor_f32_const(x) + b * n_steps * n_channels;
        float *to = pml_tensor_f32(y) + b * n_steps * shape[2];
        for (size_t i = 0; i < taps; i++) {
            unfold_tap(from, n_steps, n_channels, (ptrdiff_t)i - (ptrdiff_t)(taps / 2), padding, to + i * n_channels,
                       shape[2]);
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op_unfold,
                            &(pml_op_attributes){.integer = {(int64_t)taps, (int64_t)padding}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}
