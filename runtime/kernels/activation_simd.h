/* Activations on vectors; include after simd_<isa>.h. The operations are the same for every width, so all instruction
 * sets give the same bits. Coefficients are minimax fits of our own; errors against the exact functions, tested in
 * tests/runtime/kernels/test_activate_f32.c: exp 1 ulp, tanh 4 ulp, the GELUs 2^-23 |x|. */
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

/* x P(x^2) / Q(x^2); all coefficients are positive, so nothing cancels. From 9.02 on the nearest float is 1. */
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

/* The standard normal distribution and what the tanh form of GELU takes for it, less 1/2, as polynomials in eight
 * pieces of |x|: coefficient d of piece k is at [d][k], its variable is `scale` |x| - k, from -1/2 to 1/2. The last
 * piece is 1/2, which both are to within half an ulp of 1. */
enum { GELU_PIECES = 8, GELU_DEGREE = 6 };
typedef struct gelu_pieces {
    float scale;
    float coefficients[GELU_DEGREE + 1][GELU_PIECES];
} gelu_pieces;
static const gelu_pieces gelu_erf_pieces = {
    .scale = 0x1.39f656p+0f,
    .coefficients =
        {
            {0x0.0p+0f, 0x1.2b988p-2f, 0x1.cb4b94p-2f, 0x1.f89b76p-2f, 0x1.ff6ec2p-2f, 0x1.fffa04p-2f, 0x1.ffffdep-2f,
             0x1.0p-1f},
            {0x1.4d1934p-2f, 0x1.ddc8d8p-3f, 0x1.607e1ep-4f, 0x1.0b8482p-6f, 0x1.a1b68ap-10f, 0x1.4f8418p-14f,
             0x1.1556dcp-19f, 0x0.0p+0f},
            {-0x1.9135dap-20f, -0x1.3da7bp-4f, -0x1.d4b61ap-5f, -0x1.0aca84p-6f, -0x1.15b744p-9f, -0x1.16cf3ep-13f,
             -0x1.147922p-18f, 0x0.0p+0f},
            {-0x1.272222p-5f, -0x1.1c193ap-7f, 0x1.032eb4p-6f, 0x1.2794b2p-7f, 0x1.be239cp-10f, 0x1.21b8d8p-13f,
             0x1.5d5b8p-18f, 0x0.0p+0f},
            {-0x1.b741dep-14f, 0x1.48a78ap-7f, 0x1.1bc4ecp-10f, -0x1.60da62p-9f, -0x1.d6478p-11f, -0x1.a48ce8p-14f,
             -0x1.3f4958p-18f, 0x0.0p+0f},
            {0x1.00182p-8f, -0x1.b90ba2p-12f, -0x1.def45p-10f, 0x1.333542p-13f, 0x1.40a258p-12f, 0x1.cfe24p-15f,
             0x1.e6293ap-19f, 0x0.0p+0f},
            {-0x1.ec2f64p-12f, -0x1.aa1edp-11f, 0x1.3a052p-12f, 0x1.7dfbe4p-13f, -0x1.c682dcp-15f, -0x1.5d4922p-16f,
             -0x1.fa8b6ap-20f, 0x0.0p+0f},
        },
};
static const gelu_pieces gelu_tanh_pieces = {
    .scale = 0x1.4cccccp+0f,
    .coefficients =
        {
            {0x0.0p+0f, 0x1.1db8b4p-2f, 0x1.c0683ap-2f, 0x1.f5646p-2f, 0x1.ff0e74p-2f, 0x1.fff63cp-2f, 0x1.ffffdap-2f,
             0x1.0p-1f},
            {0x1.3a3e6ap-2f, 0x1.d31d8ep-3f, 0x1.81d602p-4f, 0x1.6179f4p-6f, 0x1.5037ap-9f, 0x1.1e51p-13f,
             0x1.69916ap-19f, 0x0.0p+0f},
            {-0x1.1c1322p-20f, -0x1.14ad4p-4f, -0x1.c5828ap-5f, -0x1.3b2154p-6f, -0x1.a48abcp-9f, -0x1.e64d32p-13f,
             -0x1.957388p-18f, 0x0.0p+0f},
            {-0x1.f217bcp-6f, -0x1.272d8ap-7f, 0x1.9a61cap-7f, 0x1.2a5248p-7f, 0x1.31e39cp-9f, 0x1.f6ce74p-13f,
             0x1.1ad6bap-17f, 0x0.0p+0f},
            {-0x1.36225ap-14f, 0x1.086ce2p-7f, 0x1.abfeb8p-10f, -0x1.10f772p-9f, -0x1.137048p-10f, -0x1.5d5a74p-13f,
             -0x1.17b9e4p-17f, 0x0.0p+0f},
            {0x1.850636p-9f, -0x1.5be492p-13f, -0x1.7ddb36p-10f, -0x1.15cdeep-14f, 0x1.1a0b54p-12f, 0x1.56645ap-14f,
             0x1.bdafc4p-18f, 0x0.0p+0f},
            {-0x1.594796p-12f, -0x1.43fae4p-11f, 0x1.70b23p-13f, 0x1.58cbf4p-13f, -0x1.4bbf46p-16f, -0x1.a9a304p-16f,
             -0x1.d227acp-19f, 0x0.0p+0f},
        },
};

/* Either, with the sign of x; without a division, which takes as long as all the rest. */
static inline vec vec_gelu_half(vec x, const gelu_pieces *pieces) {
    const vec shift = vec_set(12582912.0f); /* leaves whole numbers in the lowest bits: vec_round */
    const vec place = vec_mul(vec_min(vec_set((GELU_PIECES - 1) / pieces->scale), vec_abs(x)), vec_set(pieces->scale));
    const vec piece = vec_add(place, shift);
    const vec u = vec_sub(place, vec_sub(piece, shift));
    vec p = vec_pick(pieces->coefficients[GELU_DEGREE], piece);
    for (int d = GELU_DEGREE - 1; d >= 0; d--) {
        p = vec_fma(p, u, vec_pick(pieces->coefficients[d], piece));
    }
    return vec_copy_sign(p, x);
}

/* x (1/2 + p(x)) */
static inline vec vec_gelu(vec x, const gelu_pieces *pieces) {
    return vec_mul(x, vec_add(vec_set(0.5f), vec_gelu_half(x, pieces)));
}

static inline vec vec_activate(pml_activation activation, vec x) {
    const vec one = vec_set(1.0f);
    switch (activation) {
    case PML_ACTIVATION_RELU:
        return vec_max(vec_set(0.0f), x);
    case PML_ACTIVATION_GELU:
        return vec_gelu(x, &gelu_erf_pieces);
    case PML_ACTIVATION_GELU_TANH:
        return vec_gelu(x, &gelu_tanh_pieces);
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
