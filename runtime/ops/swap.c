/* Exchanges two axes that are not the last. */
#include "runtime/ops/op.h"

static const pml_op op = {.name = "swap_axes"};

pml_status pml_op_swap_axes(pml_context *context, const pml_tensor *x, unsigned axis, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && axis + 2 < x->rank,
                   "swap_axes: x must be F32 with an axis behind axes %u and %u", axis, axis + 1);
    const size_t m = x->shape[axis], n = x->shape[axis + 1];
    size_t shape[PML_MAX_RANK], inner = 1;
    memcpy(shape, x->shape, sizeof shape);
    shape[axis] = n;
    shape[axis + 1] = m;
    for (unsigned i = axis + 2; i < x->rank; i++) {
        inner *= x->shape[i];
    }
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, x->rank, y, error));
    const size_t each = m * n * inner, n_outer = each == 0 ? 0 : pml_tensor_count(x) / each;
    for (size_t i_outer = 0; i_outer < n_outer; i_outer++) {
        const float *from = pml_tensor_f32_const(x) + i_outer * each;
        float *to = pml_tensor_f32(y) + i_outer * each;
        for (size_t i = 0; i < m; i++) {
            for (size_t k = 0; k < n; k++) {
                memcpy(to + (k * m + i) * inner, from + (i * n + k) * inner, inner * sizeof *to);
            }
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op, &(pml_op_attributes){.integer = {(int64_t)axis}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}
