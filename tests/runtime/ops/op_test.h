/* What the op tests share: a context, tensors from formulas, comparisons against values computed in double. */
#ifndef PML_TESTS_RUNTIME_OPS_OP_TEST_H
#define PML_TESTS_RUNTIME_OPS_OP_TEST_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/ops/ops.h"
#include "tests/harness.h"

#define SHAPE(...) (const size_t[]){__VA_ARGS__}, (unsigned)(sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t))

static pml_context context;
static pml_error error;
static unsigned long long random_state;

/* Pseudo-random values in [-1, 1), the same in every run. */
static inline float next_value(void) {
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (float)(double)(random_state >> 40) / 8388608.0F - 1.0F;
}

static inline void begin_test(size_t workspace_bytes) {
    random_state = 42;
    PML_ASSERT_OK(pml_context_init(&context, NULL, &error), &error);
    PML_ASSERT_OK(pml_context_step_begin(&context, workspace_bytes, 0, &error), &error);
}

static inline void end_test(void) {
    pml_context_deinit(&context);
}

static inline pml_tensor make_tensor(const size_t *shape, unsigned rank) {
    pml_tensor tensor = {0};
    PML_ASSERT_OK(pml_context_step_tensor(&context, PML_DTYPE_F32, shape, rank, &tensor, &error), &error);
    for (size_t i = 0; i < pml_tensor_count(&tensor); i++) {
        pml_tensor_f32(&tensor)[i] = next_value();
    }
    return tensor;
}

static inline pml_tensor make_values(const float *values, const size_t *shape, unsigned rank) {
    pml_tensor tensor = make_tensor(shape, rank);
    memcpy(pml_tensor_f32(&tensor), values, pml_tensor_count(&tensor) * sizeof *values);
    return tensor;
}

static inline bool has_shape(const pml_tensor *tensor, const size_t *shape, unsigned rank) {
    return tensor->rank == rank && memcmp(tensor->shape, shape, rank * sizeof *shape) == 0;
}

static inline bool is_near(double value, double expected, double tolerance) {
    if (fabs(value - expected) <= tolerance * (1 + fabs(expected))) {
        return true;
    }
    printf("    %.9g, expected %.9g\n", value, expected);
    return false;
}

static inline bool equals(const pml_tensor *tensor, const float *expected, double tolerance) {
    for (size_t i = 0; i < pml_tensor_count(tensor); i++) {
        if (!is_near((double)pml_tensor_f32_const(tensor)[i], (double)expected[i], tolerance)) {
            printf("    at element %zu\n", i);
            return false;
        }
    }
    return true;
}

#endif
