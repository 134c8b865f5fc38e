/* Exchanges two axes that are not the last. */
#include "runtime/ops/blocks.h"
#include "runtime/ops/op.h"

static pml_blocks blocks_of(const pml_tensor *x, unsigned axis) {
    const size_t m = x->shape[axis], n = x->shape[axis + 1];
    size_t outer = 1, inner = 1;
    for (unsigned i = 0; i < axis; i++) {
        outer *= x->shape[i];
    }
    for (unsigned i = axis + 2; i < x->rank; i++) {
        inner *= x->shape[i];
    }
    return (pml_blocks){.n = {outer, n, m},
                        .count = inner,
                        .from = {m * n * inner, inner, n * inner},
                        .to = {m * n * inner, m * inner, inner}};
}

static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                           pml_error *error) {
    const pml_blocks blocks = blocks_of(&entry->inputs[0], (unsigned)entry->attributes.integer[0]);
    return pml_blocks_backward(context, gradients, &blocks, &entry->inputs[0], pml_gradient_out(gradients, entry),
                               error);
}

static const pml_op op = {.name = "swap_axes", .backward = backward};

pml_status pml_op_swap_axes(pml_context *context, const pml_tensor *x, unsigned axis, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && axis + 2 < x->rank,
                   "swap_axes: x must be F32 with an axis behind axes %u and %u", axis, axis + 1);
    size_t shape[PML_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[axis] = x->shape[axis + 1];
    shape[axis + 1] = x->shape[axis];
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, x->rank, y, error));
    const pml_blocks blocks = blocks_of(x, axis);
    pml_blocks_copy(context, &blocks, x, y);
    PML_TRY(pml_tape_record(context->tape, &op, &(pml_op_attributes){.integer = {(int64_t)axis}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}
