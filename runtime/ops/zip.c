/* Steps and columns of series in turns: what wavelet transforms do between their products. */
#include "runtime/ops/op.h"
#include "runtime/ops/signal.h"

static const pml_op op_wrap = {.name = "wrap"};
static const pml_op op_zip = {.name = "zip"};
static const pml_op op_alternate = {.name = "alternate"};

pml_status pml_op_wrap(pml_context *context, const pml_tensor *x, size_t n_steps, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && n_steps >= x->shape[1] &&
                       n_steps - x->shape[1] <= x->shape[1],
                   "wrap: %zu steps from x, which must be F32 [B, T, C]", n_steps);
    const size_t row = x->shape[1] * x->shape[2], more = (n_steps - x->shape[1]) * x->shape[2];
    PML_TRY(
        pml_context_tensor(context, PML_DTYPE_F32, (const size_t[]){x->shape[0], n_steps, x->shape[2]}, 3, y, error));
    for (size_t b = 0; b < x->shape[0]; b++) {
        float *to = pml_tensor_f32(y) + b * (row + more);
        memcpy(to, pml_tensor_f32_const(x) + b * row, row * sizeof *to);
        memcpy(to + row, to, more * sizeof *to);
    }
    PML_TRY(pml_tape_record(context->tape, &op_wrap, &(pml_op_attributes){.integer = {(int64_t)n_steps}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

pml_status pml_op_zip(pml_context *context, const pml_tensor *a, const pml_tensor *b, size_t width, bool by_columns,
                      pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(a, PML_DTYPE_F32) && pml_op_is(b, PML_DTYPE_F32) && pml_op_same_shape(a, b) &&
                       a->rank >= 2 && width > 0 && a->shape[a->rank - 1] % width == 0,
                   "zip: a and b must be F32 of one shape, in runs of %zu values", width);
    size_t shape[PML_MAX_RANK];
    memcpy(shape, a->shape, sizeof shape);
    shape[a->rank - (by_columns ? 1 : 2)] *= 2;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, a->rank, y, error));
    float *to = pml_tensor_f32(y);
    for (size_t at = 0, count = pml_tensor_count(a); at < count; at += width, to += 2 * width) {
        memcpy(to, pml_tensor_f32_const(a) + at, width * sizeof *to);
        memcpy(to + width, pml_tensor_f32_const(b) + at, width * sizeof *to);
    }
    PML_TRY(pml_tape_record(context->tape, &op_zip, &(pml_op_attributes){.integer = {(int64_t)width, by_columns}},
                            (const pml_tensor *const[]){a, b}, 2, y, error));

done:
    return status;
}

pml_status pml_op_alternate(pml_context *context, const pml_tensor *x, size_t first, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && x->shape[1] % 2 == 0 && first < 2,
                   "alternate: x must be F32 [B, T, C] with an even number of steps");
    const size_t n_columns = x->shape[2];
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, (const size_t[]){x->shape[0], x->shape[1] / 2, n_columns}, 3, y,
                               error));
    for (size_t i = 0, n_rows = x->shape[0] * x->shape[1] / 2; i < n_rows; i++) {
        memcpy(pml_tensor_f32(y) + i * n_columns, pml_tensor_f32_const(x) + (2 * i + first) * n_columns,
               n_columns * sizeof(float));
    }
    PML_TRY(pml_tape_record(context->tape, &op_alternate, &(pml_op_attributes){.integer = {(int64_t)first}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}
