/* Copies that change the order of axes. */
#include "runtime/ops/op.h"

static const pml_op op_slice = {.name = "slice"};
static const pml_op op_append = {.name = "append"};

#define TILE 16u

/* The gradient of x [..., m, n] is that of y [..., n, m] with both axes exchanged. */
static pml_status transpose_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                     pml_error *error) {
    (void)context;
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0];
    const float *g = pml_gradient_out(gradients, entry);
    const size_t m = x->shape[x->rank - 2], n = x->shape[x->rank - 1];
    const size_t n_matrices = m * n == 0 ? 0 : pml_tensor_count(x) / (m * n);
    float *to;
    PML_TRY(pml_gradient_of(gradients, x, &to, error));
    for (size_t at = 0; to != NULL && at < n_matrices * m * n; at += m * n) {
        for (size_t k = 0; k < n; k += TILE) {
            const size_t k_end = n - k < TILE ? n : k + TILE;
            for (size_t i = 0; i < m; i++) {
                for (size_t c = k; c < k_end; c++) {
                    to[at + i * n + c] += g[at + c * m + i];
                }
            }
        }
    }

done:
    return status;
}

static const pml_op op_transpose = {.name = "transpose", .backward = transpose_backward};

pml_status pml_op_transpose(pml_context *context, const pml_tensor *x, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank >= 2, "transpose: x must be F32 of rank 2 or more");
    size_t m = x->shape[x->rank - 2], n = x->shape[x->rank - 1];
    size_t shape[PML_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 2] = n;
    shape[x->rank - 1] = m;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, x->rank, y, error));
    size_t n_matrices = m * n == 0 ? 0 : pml_tensor_count(x) / (m * n);
    for (size_t i_matrix = 0; i_matrix < n_matrices; i_matrix++) {
        const float *from = pml_tensor_f32_const(x) + i_matrix * m * n;
        float *to = pml_tensor_f32(y) + i_matrix * m * n;
        for (size_t i_tile = 0; i_tile < m; i_tile += TILE) { /* tiles keep both sides within a few cache lines */
            size_t i_end = m - i_tile < TILE ? m : i_tile + TILE;
            for (size_t k = 0; k < n; k++) {
                for (size_t i = i_tile; i < i_end; i++) {
                    to[k * m + i] = from[i * n + k];
                }
            }
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op_transpose, NULL, (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

pml_status pml_op_slice(pml_context *context, const pml_tensor *x, size_t first, size_t count, pml_tensor *y,
                        pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank >= 2, "slice: x must be F32 of rank 2 or more");
    size_t m = x->shape[x->rank - 2], n = x->shape[x->rank - 1];
    PML_OP_REQUIRE(first <= m && count <= m - first, "slice: rows %zu to %zu of %zu", first, first + count, m);
    size_t shape[PML_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 2] = count;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, x->rank, y, error));
    size_t n_matrices = m * n == 0 ? 0 : pml_tensor_count(x) / (m * n);
    for (size_t i = 0; i < n_matrices && count > 0; i++) {
        memcpy(pml_tensor_f32(y) + i * count * n, pml_tensor_f32_const(x) + (i * m + first) * n,
               count * n * sizeof(float));
    }
    PML_TRY(pml_tape_record(context->tape, &op_slice, &(pml_op_attributes){.integer = {(int64_t)first, (int64_t)count}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

pml_status pml_op_append(pml_context *context, const pml_tensor *a, const pml_tensor *b, pml_tensor *y,
                         pml_error *error) {
    pml_status status = PML_OK;
    bool fits = pml_op_is(a, PML_DTYPE_F32) && pml_op_is(b, PML_DTYPE_F32) && a->rank >= 2 && b->rank == a->rank;
    for (unsigned axis = 0; fits && axis < a->rank; axis++) {
        fits = axis == a->rank - 2 || a->shape[axis] == b->shape[axis];
    }
    PML_OP_REQUIRE(fits, "append: a and b must be F32 and differ in axis rank-2 alone");
    const size_t m = a->shape[a->rank - 2], k = b->shape[a->rank - 2], n = a->shape[a->rank - 1];
    size_t shape[PML_MAX_RANK], n_matrices = 1;
    memcpy(shape, a->shape, sizeof shape);
    PML_OP_REQUIRE(k <= SIZE_MAX - m, "append: %zu and %zu rows are too many", m, k);
    shape[a->rank - 2] = m + k;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, a->rank, y, error));
    for (unsigned axis = 0; axis + 2 < a->rank; axis++) {
        n_matrices *= a->shape[axis];
    }
    for (size_t i = 0; i < n_matrices && n > 0; i++) {
        float *to = pml_tensor_f32(y) + i * (m + k) * n;
        memcpy(to, pml_tensor_f32_const(a) + i * m * n, m * n * sizeof *to);
        memcpy(to + m * n, pml_tensor_f32_const(b) + i * k * n, k * n * sizeof *to);
    }
    PML_TRY(pml_tape_record(context->tape, &op_append, NULL, (const pml_tensor *const[]){a, b}, 2, y, error));

done:
    return status;
}
