/* Slopes of activations on vectors; include after simd_<isa>.h. Where a function is flat its slope is 0 to the last
 * float, so arguments are bounded first: nothing overflows on the way. */
#ifndef PML_RUNTIME_KERNELS_ACTIVATION_GRADIENT_SIMD_H
#define PML_RUNTIME_KERNELS_ACTIVATION_GRADIENT_SIMD_H

#include "runtime/kernels/activation_simd.h"

/* NaN stays. */
static inline vec vec_bounded(vec x, float least, float greatest) {
    return vec_max(vec_set(least), vec_min(vec_set(greatest), x));
}

/* P(x) + x p(x) with the standard normal distribution P and its density p. */
static inline vec vec_gelu_slope(vec x) {
    const vec at = vec_bounded(x, -15.0f, 15.0f);
    const vec density = vec_mul(vec_set(0.398942280f), vec_exp(vec_mul(vec_mul(at, at), vec_set(-0.5f))));
    return vec_fma(at, density, vec_add(vec_set(0.5f), vec_gelu_half(x, &gelu_erf_pieces)));
}

/* Of x s(z), where s is the logistic function and z' is dz: s (1 + x z' (1 - s)). The distance of s from 1 is e^-z s.
 */
static inline vec vec_gated_slope(vec x, vec z, vec dz) {
    const vec one = vec_set(1.0f);
    const vec e = vec_exp(vec_sub(vec_set(0.0f), vec_bounded(z, -87.0f, 110.0f)));
    const vec s = vec_div(one, vec_add(one, e));
    return vec_mul(s, vec_fma(vec_mul(x, dz), vec_mul(e, s), one));
}

/* (1 + tanh u) / 2 is s(2 u). */
static inline vec vec_gelu_tanh_slope(vec x) {
    const vec at = vec_bounded(x, -15.0f, 15.0f), square = vec_mul(at, at), steep = vec_set(1.595769122f);
    return vec_gated_slope(at, vec_mul(at, vec_fma(square, vec_set(0.0713548162726f), steep)),
                           vec_fma(square, vec_set(0.214064448818f), steep));
}

static inline vec vec_silu_slope(vec x) {
    const vec at = vec_bounded(x, -87.0f, 110.0f);
    return vec_gated_slope(at, at, vec_set(1.0f));
}

static inline vec vec_sigmoid_slope(vec x) {
    const vec at = vec_bounded(x, -87.0f, 110.0f), one = vec_set(1.0f);
    const vec e = vec_exp(vec_sub(vec_set(0.0f), at));
    const vec s = vec_div(one, vec_add(one, e));
    return vec_mul(vec_mul(e, s), s);
}

static inline vec vec_tanh_slope(vec x) {
    const vec y = vec_tanh(x), one = vec_set(1.0f);
    return vec_mul(vec_sub(one, y), vec_add(one, y));
}

static inline vec vec_activation_slope(pml_activation activation, vec x) {
    switch (activation) {
    case PML_ACTIVATION_RELU:
        return vec_if_positive(x, vec_set(1.0f));
    case PML_ACTIVATION_GELU:
        return vec_gelu_slope(x);
    case PML_ACTIVATION_GELU_TANH:
        return vec_gelu_tanh_slope(x);
    case PML_ACTIVATION_SILU:
        return vec_silu_slope(x);
    case PML_ACTIVATION_TANH:
        return vec_tanh_slope(x);
    case PML_ACTIVATION_SIGMOID:
        return vec_sigmoid_slope(x);
    case PML_ACTIVATION_IDENTITY:
    case PML_ACTIVATION_COUNT:
        break;
    }
    return vec_set(1.0f);
}

static inline void activate_gradient_simd(const pml_activate_gradient *job) {
    const pml_activation activation = job->activation;
    size_t i = 0;
    for (; job->n - i >= VEC_LANES; i += VEC_LANES) {
        const vec slope = vec_activation_slope(activation, vec_load(job->x + i)), dy = vec_load(job->dy + i);
        vec_store(job->dx + i, job->adds ? vec_fma(dy, slope, vec_load(job->dx + i)) : vec_mul(dy, slope));
    }
    if (i < job->n) {
        const size_t n = job->n - i;
        const vec slope = vec_activation_slope(activation, vec_load_part(job->x + i, n));
        const vec dy = vec_load_part(job->dy + i, n);
        vec_store_part(job->dx + i, job->adds ? vec_fma(dy, slope, vec_load_part(job->dx + i, n)) : vec_mul(dy, slope),
                       n);
    }
}

#endif
