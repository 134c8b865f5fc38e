/* What all kernel tests share: the walk over an op's variants, inputs, guarded outputs, and the one table of
 * tolerances. */
#ifndef PML_TESTS_RUNTIME_KERNELS_VARIANTS_H
#define PML_TESTS_RUNTIME_KERNELS_VARIANTS_H

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/kernels/kernels.h"
#include "tests/harness.h"

/* How far a variant may be from what is expected: |difference| <= bound * scale + floor, where scale is what the test
 * names: for sums the sum of magnitudes, otherwise the magnitude of the result or of its greatest term. */
static const struct tolerance {
    const char *op;
    double bound, floor;
} tolerances[] = {
    {"matmul_panel_f32", 32 * FLT_EPSILON, FLT_TRUE_MIN}, /* two orders of up to 256 roundings, which rarely align */
    {"matmul_panel_bf16", 32 * FLT_EPSILON, FLT_TRUE_MIN},
    {"matmul_row_f32", 32 * FLT_EPSILON, FLT_TRUE_MIN},
    {"matmul_row_bf16", 32 * FLT_EPSILON, FLT_TRUE_MIN},
    {"matmul_panel_i8", 8 * FLT_EPSILON, FLT_TRUE_MIN}, /* sums are exact: what is left are scales and one addition */
    {"matmul_panel_i8g", 32 * FLT_EPSILON, FLT_TRUE_MIN},
    {"activate_f32", 4 * FLT_EPSILON, FLT_MIN},
    {"activate_gradient_f32", 8 * FLT_EPSILON, FLT_MIN},
    {"add_f32", 0.0, FLT_TRUE_MIN},
    {"layer_norm_f32", 8 * FLT_EPSILON, FLT_TRUE_MIN},
    {"layer_norm_gradient_f32", 8 * FLT_EPSILON, FLT_TRUE_MIN},
    {"batch_norm_f32", 4 * FLT_EPSILON, FLT_TRUE_MIN},
    {"softmax_f32", 8 * FLT_EPSILON, FLT_MIN},
    {"attention_f32", 64 * FLT_EPSILON, FLT_MIN},
    {"attention_gradient_f32", 64 * FLT_EPSILON, FLT_MIN},
};

static inline const struct tolerance *tolerance_of(const char *op) {
    for (size_t i = 0; i < sizeof tolerances / sizeof tolerances[0]; i++) {
        if (strcmp(tolerances[i].op, op) == 0) {
            return &tolerances[i];
        }
    }
    abort();
}

/* The next variant of `op` that this CPU can run, from *position on; NULL at the end. Names what it must skip. */
static inline const pml_kernel_variant *next_variant(const char *op, size_t *position) {
    uint32_t available = pml_isa_detect();
    while (pml_kernel_variants[*position].op != NULL) {
        const pml_kernel_variant *variant = &pml_kernel_variants[(*position)++];
        if (strcmp(variant->op, op) != 0) {
            continue;
        }
        if ((variant->needs & available) == variant->needs) {
            return variant;
        }
        (void)printf(" skipped: %s %s ", variant->op, variant->isa);
    }
    return NULL;
}

/* Deterministic numbers in [-1, 1). */
static inline float random_float(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(*seed >> 40) / (double)(1u << 23) - 1.0);
}

/* Heap storage of exactly `count` floats that begins 4 bytes after a 16-byte boundary, so that address sanitizers see
 * a step outside and aligned access faults. Filled with random numbers. */
typedef struct floats {
    float *block;
    float *data;
} floats;
static inline floats make_floats(size_t count, uint64_t *seed) {
    floats made = {.block = malloc((count + 1) * sizeof(float))};
    if (made.block == NULL) {
        abort();
    }
    made.data = made.block + 1;
    for (size_t i = 0; i < count; i++) {
        made.data[i] = random_float(seed);
    }
    return made;
}

/* Same class: both NaN, the same infinity, or both finite. */
static inline bool same_class(float a, float b) {
    return isnan(a) ? isnan(b) : isinf(a) ? a == b : isfinite(b);
}

/* One value against the expected one; prints a miss. */
static inline bool agrees(const pml_kernel_variant *variant, float value, float expected, double scale, size_t index) {
    bool fits = same_class(expected, value);
    if (fits && isfinite(expected)) {
        const struct tolerance *allowed = tolerance_of(variant->op);
        fits = fabs((double)value - (double)expected) <= allowed->bound * scale + allowed->floor;
    }
    if (!fits) {
        (void)printf("\n    %s %s: element %zu is %.9g, expected %.9g (scale %g)\n", variant->op, variant->isa, index,
                     (double)value, (double)expected, scale);
    }
    return fits;
}

#endif
