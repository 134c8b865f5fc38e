/* What the op files share: checks and typed access. Private to runtime/ops. */
#ifndef PML_RUNTIME_OPS_OP_H
#define PML_RUNTIME_OPS_OP_H

#include <string.h>

#include "runtime/ops/gradient.h"
#include "runtime/ops/ops.h"

/* Jumps to `done:` with ARGUMENT unless `condition` holds. Needs `status` and `error` in scope. */
#define PML_OP_REQUIRE(condition, ...)                                                                                 \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, __VA_ARGS__));                                                     \
        }                                                                                                              \
    } while (0)

static inline bool pml_op_is(const pml_tensor *tensor, pml_dtype dtype) {
    return tensor->dtype == dtype && tensor->layout == PML_LAYOUT_ROW;
}

/* A vector [n] of F32. */
static inline bool pml_op_is_vector(const pml_tensor *tensor, size_t n) {
    return pml_op_is(tensor, PML_DTYPE_F32) && tensor->rank == 1 && tensor->shape[0] == n;
}

static inline bool pml_op_same_shape(const pml_tensor *a, const pml_tensor *b) {
    return a->rank == b->rank && memcmp(a->shape, b->shape, a->rank * sizeof a->shape[0]) == 0;
}

static inline double *pml_op_f64(const pml_tensor *tensor) {
    return (double *)(void *)((char *)tensor->buffer->host + tensor->offset_bytes);
}

static inline const double *pml_op_f64_const(const pml_tensor *tensor) {
    return pml_tensor_bytes(tensor);
}

#endif
