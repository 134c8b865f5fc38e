/* Adds positions to tokens, with a learned token before the others where there is one. */
#include "runtime/ops/op.h"
#include "runtime/ops/reduce.h"

static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                           pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0], *first = &entry->inputs[1], *position = &entry->inputs[2];
    const float *dy = pml_gradient_out(gradients, entry);
    const size_t table = pml_tensor_count(position), n_columns = pml_tensor_columns(x);
    const size_t head = first->dtype == PML_DTYPE_NONE ? 0 : n_columns, n = table - head;
    const size_t n_series = n == 0 ? 0 : pml_tensor_count(x) / n;
    float *dx, *to;
    bool is_new;
    PML_TRY(pml_gradient_begin(gradients, x, &dx, &is_new, error));
    for (size_t i = 0; dx != NULL && i < n_series; i++) {
        const float *from = dy + i * table + head;
        float *at = dx + i * n;
        for (size_t k = 0; k < n; k++) {
            at[k] = is_new ? from[k] : at[k] + from[k];
        }
    }
    PML_TRY(pml_gradient_of(gradients, position, &to, error));
    if (to != NULL) {
        PML_TRY(pml_reduce_rows(context, gradients, dy, n_series, table, table, to, error));
    }
    PML_TRY(pml_gradient_of(gradients, first, &to, error));
    if (to != NULL) {
        PML_TRY(pml_reduce_rows(context, gradients, dy, n_series, n_columns, table, to, error));
    }

done:
    return status;
}

static const pml_op op = {.name = "tokens", .backward = backward};

pml_status pml_op_tokens(pml_context *context, const pml_tensor *x, const pml_tensor *first, const pml_tensor *position,
                         pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank >= 2, "tokens: x must be F32 of rank 2 or more");
    size_t n_columns = pml_tensor_columns(x), n_first = first != NULL ? 1 : 0;
    size_t n_tokens = x->shape[x->rank - 2];
    PML_OP_REQUIRE(first == NULL || pml_op_is_vector(first, n_columns),
                   "tokens: the first token must have %zu elements", n_columns);
    PML_OP_REQUIRE(pml_op_is(position, PML_DTYPE_F32) && position->rank == 2 &&
                       position->shape[0] == n_tokens + n_first && position->shape[1] == n_columns,
                   "tokens: the position table must be [%zu, %zu]", n_tokens + n_first, n_columns);
    size_t shape[PML_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 2] += n_first;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, x->rank, y, error));
    size_t n = n_tokens * n_columns, head = n_first * n_columns;
    size_t n_series = n == 0 ? 0 : pml_tensor_count(x) / n;
    const float *table = pml_tensor_f32_const(position);
    float *at = pml_tensor_f32(y);
    for (size_t i = 0; i < n_series; i++, at += head + n) {
        if (first != NULL) {
            context->kernels.add_f32(pml_tensor_f32_const(first), table, at, n_columns);
        }
        context->kernels.add_f32(pml_tensor_f32_const(x) + i * n, table + head, at + head, n);
    }
    PML_TRY(pml_tape_record(context->tape, &op, NULL, (const pml_tensor *const[]){x, first, position}, 3, y, error));

done:
    return status;
}
