/* Convolutions of images: neighbours of a row side by side, then one product per row of taps, over the image rows that
 * are there. */
#include "runtime/ops/inception.h"
#include "runtime/ops/product.h"
#include "runtime/ops/signal.h"

static const pml_op op = {.name = "convolve"};

/* Adds what tap row dy gives to all image rows of one sample that have such a neighbour. */
static pml_status add_row(pml_context *context, const pml_tensor *wide, const pml_tensor *w, size_t b, size_t dy,
                          pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const size_t height = y->shape[1], width = y->shape[2], n_in = w->shape[1], n_out = w->shape[2];
    const size_t reach = w->shape[0] / 2, above = dy < reach ? reach - dy : 0, below = dy > reach ? dy - reach : 0;
    const size_t first = (b * height + above) * width, source = (b * height + below) * width;
    const size_t n_rows = (above + below < height ? height - above - below : 0) * width, block = pml_product_rows(w);
    for (size_t i = 0; i < n_rows; i += block < n_rows - i ? block : n_rows - i) {
        pml_product_bytes bytes = {0};
        float *to = pml_tensor_f32(y) + (first + i) * n_out;
        const pml_matmul job = {.m = n_rows - i < block ? n_rows - i : block,
                                .k = n_in,
                                .n = n_out,
                                .x = pml_tensor_f32_const(wide) + (source + i) * n_in,
                                .x_stride = n_in,
                                .w = pml_tensor_matrix(w, dy),
                                .y = to,
                                .y_stride = n_out,
                                .residual = to,
                                .residual_stride = n_out};
        PML_TRY(pml_product_run(context, &job, w, dy, &bytes, error));
    }

done:
    return status;
}

pml_status pml_op_convolve(pml_context *context, const pml_tensor *x, const pml_tensor *w, const pml_tensor *bias,
                           const pml_tensor *residual, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 4 && w->rank == 3 && w->shape[0] % 2 == 1 &&
                       w->shape[1] == w->shape[0] * x->shape[3],
                   "convolve: x must be F32 [B, H, W, C] and w [taps, taps * C, out] with odd taps");
    PML_OP_REQUIRE(pml_op_is_vector(bias, w->shape[2]), "convolve: the bias must have %zu values", w->shape[2]);
    const size_t shape[] = {x->shape[0], x->shape[1], x->shape[2], w->shape[2]};
    PML_TRY(pml_product_check(context, w, "convolve", error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 4, y, error));
    PML_OP_REQUIRE(residual == NULL || (pml_op_is(residual, PML_DTYPE_F32) && pml_op_same_shape(residual, y)),
                   "convolve: the residual does not have the result's shape");
    const size_t mark = pml_context_mark(context);
    pml_tape *tape = context->tape;
    pml_tensor rows = *x, wide;
    rows.rank = 3;
    memcpy(rows.shape, (const size_t[]){shape[0] * shape[1], shape[2], x->shape[3]}, 3 * sizeof shape[0]);
    context->tape = NULL; /* a part of this op */
    status = pml_op_unfold(context, &rows, w->shape[0], PML_UNFOLD_ZERO, &wide, error);
    context->tape = tape;
    PML_TRY(status);
    for (size_t i = 0, n = pml_tensor_rows(y); i < n; i++) {
        float *to = pml_tensor_f32(y) + i * shape[3];
        for (size_t c = 0; c < shape[3]; c++) {
            to[c] = pml_tensor_f32_const(bias)[c];
            to[c] += residual == NULL ? 0 : pml_tensor_f32_const(residual)[i * shape[3] + c];
        }
    }
    for (size_t b = 0; b < shape[0]; b++) {
        for (size_t dy = 0; dy < w->shape[0]; dy++) {
            PML_TRY(add_row(context, &wide, w, b, dy, y, error));
        }
    }
    pml_context_release(context, mark, NULL);
    PML_TRY(pml_tape_record(tape, &op, NULL, (const pml_tensor *const[]){x, w, bias, residual}, 4, y, error));

done:
    return status;
}

size_t pml_convolve_bytes(size_t n_samples, size_t n_positions, size_t taps, size_t n_in, size_t n_out) {
    return PML_SUM(PML_FLOATS(n_samples, n_positions, n_out), PML_FLOATS(n_samples, n_positions, taps, n_in));
}
