/* Activations on vectors; include after simd_<isa>.h. The operations are the same for every width, so all instruction
 * sets give the same bits. Coefficients are minimax fits of our own; errors against the exact functions, tested in
 * tests/runtime/kernels/test_activate_f32.c: exp 1 ulp, erf and tanh 4 ulp. */
#ifndef PML_RUNTIME_KERNELS_ACTIVATION_SIMD_H
#define PML_RUNTIME_KERNELS_ACTIVATION_SIMD_H

#include "runtime/kernels/kernels.h"

#ifndef VEC_LANES
#error "include simd_<isa>.h first"
#endif

/* e^x = 2^n e^r with |r| <= ln 2 / 2; infinity above 88.7, denormals and then 0 below -87.3, NaN stays. */
static inline vec vec_exp(vec x) {
    x = vec_max(vec_set(-105.0f), vec_min(vec_set(89.0f), x));
    vec n = vec_round(vec_mul(x, vec_set(1.44269504f)));
    vec r = vec_fma(n, vec_set(-0.693145752f), x); /* ln 2 in two parts: the first has few bits, so n * it is exact */
    r = vec_fma(n, vec_set(-1.42860677e-6f), r);
    vec p = vec_set(0.0013813143596053123f);
    p = vec_fma(p, r, vec_set(0.008369418792426586f));
    p = vec_fma(p, r, vec_set(0.04166845604777336f));
    p = vec_fma(p, r, vec_set(0.16666515171527863f));
    p = vec_fma(p, r, vec_set(0.4999999403953552f));
    p = vec_fma(vec_mul(r, r), p, r);
    return vec_scale(vec_add(p, vec_set(1.0f)), n);
}

/* x P(x^2) / Q(x^2); all coefficients are positive, so nothing cancels. From 3.95 on the nearest float is 1. */
static inline vec vec_erf(vec x) {
    vec bounded = vec_max(vec_set(-3.95f), vec_min(vec_set(3.95f), x));
    vec s = vec_mul(bounded, bounded);
    vec p = vec_set(0x1.0fe91ap-19f);
    p = vec_fma(p, s, vec_set(0x1.2a845cp-12f));
    p = vec_fma(p, s, vec_set(0x1.f3262ap-9f));
    p = vec_fma(p, s, vec_set(0x1.b12824p-5f));
    p = vec_fma(p, s, vec_set(0x1.884c1cp-3f));
    p = vec_fma(p, s, vec_set(0x1.20dd74p+0f));
    vec q = vec_set(0x1.3d5ad6p-15f);
    q = vec_fma(q, s, vec_set(0x1.32e6b0p-10f));
    q = vec_fma(q, s, vec_set(0x1.ed5402p-7f));
    q = vec_fma(q, s, vec_set(0x1.d53cf2p-4f));
    q = vec_fma(q, s, vec_set(0x1.01951ap-1f));
    q = vec_fma(q, s, vec_set(1.0f));
    return vec_if_magnitude_below(x, 3.95f, vec_div(vec_mul(bounded, p), q), 1.0f);
}

/* As vec_erf. From 9.02 on the nearest float is 1. */
static inline vec vec_tanh(vec x) {
    vec bounded = vec_max(vec_set(-9.02f), vec_min(vec_set(9.02f), x));
    vec s = vec_mul(bounded, bounded);
    vec p = vec_set(0x1.c9a410p-27f);
    p = vec_fma(p, s, vec_set(0x1.59557cp-16f));
    p = vec_fma(p, s, vec_set(0x1.c9f866p-9f));
    p = vec_fma(p, s, vec_set(0x1.120444p-3f));
    p = vec_fma(p, s, vec_set(1.0f));
    vec q = vec_set(0x1.a0b890p-21f);
    q = vec_fma(q, s, vec_set(0x1.5841ecp-12f));
    q = vec_fma(q, s, vec_set(0x1.a7df2cp-6f));
    q = vec_fma(q, s, vec_set(0x1.de576ap-2f));
    q = vec_fma(q, s, vec_set(1.0f));
    return vec_if_magnitude_below(x, 9.02f, vec_div(vec_mul(bounded, p), q), 1.0f);
}

static inline vec vec_activate(pml_activation activation, vec x) {
    const vec one = vec_set(1.0f);
    switch (activation) {
    case PML_ACTIVATION_RELU:
        return vec_max(vec_set(0.0f), x);
    case PML_ACTIVATION_GELU: {
        vec erf = vec_erf(vec_mul(x, vec_set(0.70710678118654752f)));
        return vec_mul(vec_mul(x, vec_set(0.5f)), vec_add(one, erf));
    }
    case PML_ACTIVATION_GELU_TANH: {
        vec cube = vec_mul(vec_mul(vec_mul(vec_set(0.044715f), x), x), x);
        vec tanh = vec_tanh(vec_mul(vec_set(0.79788456080286536f), vec_add(x, cube)));
        return vec_mul(vec_mul(x, vec_set(0.5f)), vec_add(one, tanh));
    }
    case PML_ACTIVATION_SILU:
        return vec_div(x, vec_add(one, vec_exp(vec_sub(vec_set(0.0f), x))));
    case PML_ACTIVATION_TANH:
        return vec_tanh(x);
    case PML_ACTIVATION_SIGMOID:
        return vec_div(one, vec_add(one, vec_exp(vec_sub(vec_set(0.0f), x))));
    case PML_ACTIVATION_IDENTITY:
    case PML_ACTIVATION_COUNT:
        break;
    }
    return x;
}

/* x [n] in place. */
static inline void activate_simd(pml_activation activation, float *x, size_t n) {
    size_t i = 0;
    for (; n - i >= VEC_LANES; i += VEC_LANES) {
        vec_store(x + i, vec_activate(activation, vec_load(x + i)));
    }
    if (i < n) {
        vec_store_part(x + i, vec_activate(activation, vec_load_part(x + i, n - i)), n - i);
    }
}

#endif
