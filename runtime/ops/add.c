/* Elementwise sums, with a table that repeats over leading axes, and differences. */
#include "runtime/ops/op.h"
#include "runtime/ops/reduce.h"

static pml_status add_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                               pml_error *error) {
    pml_status status = PML_OK;
    const float *g = pml_gradient_out(gradients, entry);
    const size_t n = pml_tensor_count(&entry->inputs[1]), count = pml_tensor_count(&entry->output);
    float *to;
    PML_TRY(pml_gradient_add(gradients, &entry->inputs[0], g, 1, error));
    if (n == count) {
        PML_TRY(pml_gradient_add(gradients, &entry->inputs[1], g, 1, error));
        goto done;
    }
    PML_TRY(pml_gradient_of(gradients, &entry->inputs[1], &to, error));
    if (to != NULL && n > 0) {
        PML_TRY(pml_reduce_rows(context, gradients, g, count / n, n, n, to, error));
    }

done:
    return status;
}

static pml_status subtract_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                    pml_error *error) {
    (void)context;
    pml_status status = PML_OK;
    const float *g = pml_gradient_out(gradients, entry);
    PML_TRY(pml_gradient_add(gradients, &entry->inputs[0], g, 1, error));
    PML_TRY(pml_gradient_add(gradients, &entry->inputs[1], g, -1, error));

done:
    return status;
}

static const pml_op op = {.name = "add", .backward = add_backward};
static const pml_op op_subtract = {.name = "subtract", .backward = subtract_backward};

pml_status pml_op_add(pml_context *context, const pml_tensor *a, const pml_tensor *b, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(a, PML_DTYPE_F32) && pml_op_is(b, PML_DTYPE_F32) && b->rank <= a->rank &&
                       memcmp(b->shape, a->shape + (a->rank - b->rank), b->rank * sizeof b->shape[0]) == 0,
                   "add: the shape of b must be that of the last axes of a");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, a->shape, a->rank, y, error));
    size_t n = pml_tensor_count(b);
    for (size_t at = 0, count = pml_tensor_count(a); at < count; at += n) {
        context->kernels.add_f32(pml_tensor_f32_const(a) + at, pml_tensor_f32_const(b), pml_tensor_f32(y) + at, n);
    }
    PML_TRY(pml_tape_record(context->tape, &op, NULL, (const pml_tensor *const[]){a, b}, 2, y, error));

done:
    return status;
}

pml_status pml_op_subtract(pml_context *context, const pml_tensor *a, const pml_tensor *b, pml_tensor *y,
                           pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(a, PML_DTYPE_F32) && pml_op_is(b, PML_DTYPE_F32) && pml_op_same_shape(a, b),
                   "subtract: a and b must have one shape");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, a->shape, a->rank, y, error));
    const float *from = pml_tensor_f32_const(a), *less = pml_tensor_f32_const(b);
    float *to = pml_tensor_f32(y);
    for (size_t i = 0, count = pml_tensor_count(a); i < count; i++) {
        to[i] = from[i] - less[i];
    }
    PML_TRY(pml_tape_record(context->tape, &op_subtract, NULL, (const pml_tensor *const[]){a, b}, 2, y, error));

done:
    return status;
}
