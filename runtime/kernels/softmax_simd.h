/* Softmax of one row on vectors; include after simd_<isa>.h. */
#ifndef PML_RUNTIME_KERNELS_SOFTMAX_SIMD_H
#define PML_RUNTIME_KERNELS_SOFTMAX_SIMD_H

#include <math.h>

#include "runtime/kernels/activation_simd.h"

/* x [n] in place. A NaN among them makes the sum NaN, and so all of them. */
static inline void softmax_simd(float *x, size_t n) {
    const size_t whole = n / VEC_LANES * VEC_LANES;
    vec group[VEC_GROUP];
    for (size_t g = 0; g < VEC_GROUP; g++) {
        group[g] = vec_set(-INFINITY);
    }
    for (size_t i = 0; i < whole; i += VEC_LANES) {
        vec *lanes = &group[i / VEC_LANES % VEC_GROUP];
        *lanes = vec_max(vec_load(x + i), *lanes);
    }
    vec *last = &group[whole / VEC_LANES % VEC_GROUP];
    *last = vec_max(vec_load_part_else(x + whole, n - whole, -INFINITY), *last);
    const vec greatest = vec_set(vec_lanes_max(group));

    for (size_t g = 0; g < VEC_GROUP; g++) {
        group[g] = vec_set(0.0f);
    }
    for (size_t i = 0; i < whole; i += VEC_LANES) {
        vec *lanes = &group[i / VEC_LANES % VEC_GROUP];
        vec e = vec_exp(vec_sub(vec_load(x + i), greatest));
        vec_store(x + i, e);
        *lanes = vec_add(*lanes, e);
    }
    if (whole < n) {
        vec e = vec_exp(vec_sub(vec_load_part(x + whole, n - whole), greatest));
        vec_store_part(x + whole, e, n - whole);
        *last = vec_add(*last, vec_load_part(x + whole, n - whole));
    }
    const vec scale = vec_set(1.0f / vec_lanes_sum(group));
    for (size_t i = 0; i < whole; i += VEC_LANES) {
        vec_store(x + i, vec_mul(vec_load(x + i), scale));
    }
    if (whole < n) {
        vec_store_part(x + whole, vec_mul(vec_load_part(x + whole, n - whole), scale), n - whole);
    }
}

#endif
