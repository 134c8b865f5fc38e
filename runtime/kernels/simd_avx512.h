/* Vectors of 16 floats: what the shared SIMD bodies (activation_simd.h, matmul_simd.h, ...) are written in.
 * For files compiled with the avx512 bundle only; everything is static, so that nothing wide leaks out of them. */
#ifndef PML_RUNTIME_KERNELS_SIMD_AVX512_H
#define PML_RUNTIME_KERNELS_SIMD_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define VEC_LANES 16u
typedef __m512 vec;
typedef __mmask16 vec_mask;

/* The first n < 16 lanes. */
static inline vec_mask vec_first(size_t n) {
    return (vec_mask)((1u << n) - 1u);
}
static inline vec vec_load(const float *p) {
    return _mm512_loadu_ps(p);
}
static inline void vec_store(float *p, vec a) {
    _mm512_storeu_ps(p, a);
}
/* Lanes that are not read are 0; lanes that are not in the mask are not written. */
static inline vec vec_load_part(const float *p, size_t n) {
    return _mm512_maskz_loadu_ps(vec_first(n), p);
}
/* As vec_load_part, but lanes that are not read are `otherwise`. */
static inline vec vec_load_part_else(const float *p, size_t n, float otherwise) {
    return _mm512_mask_loadu_ps(_mm512_set1_ps(otherwise), vec_first(n), p);
}
static inline void vec_store_part(float *p, vec a, size_t n) {
    _mm512_mask_storeu_ps(p, vec_first(n), a);
}
static inline vec vec_set(float x) {
    return _mm512_set1_ps(x);
}
static inline vec vec_add(vec a, vec b) {
    return _mm512_add_ps(a, b);
}
static inline vec vec_sub(vec a, vec b) {
    return _mm512_sub_ps(a, b);
}
static inline vec vec_mul(vec a, vec b) {
    return _mm512_mul_ps(a, b);
}
static inline vec vec_div(vec a, vec b) {
    return _mm512_div_ps(a, b);
}
/* a * b + c, rounded once. */
static inline vec vec_fma(vec a, vec b, vec c) {
    return _mm512_fmadd_ps(a, b, c);
}
/* When either is NaN the result is b. */
static inline vec vec_max(vec a, vec b) {
    return _mm512_max_ps(a, b);
}
static inline vec vec_min(vec a, vec b) {
    return _mm512_min_ps(a, b);
}
/* To the nearest integer, ties to even, for |a| < 2^22: at 1.5 * 2^23 a float has no places after the point. */
static inline vec vec_round(vec a) {
    const vec shift = vec_set(12582912.0f);
    return vec_sub(vec_add(a, shift), shift);
}
/* a * 2^n for whole n in [-252, 254], rounded once, denormals included. */
static inline vec vec_scale(vec a, vec n) {
    return _mm512_scalef_ps(a, n);
}
/* |a| < b ? chosen : otherwise with the sign of a. NaN counts as less. */
static inline vec vec_if_magnitude_below(vec a, float b, vec chosen, float otherwise) {
    const __m512 sign_bit = _mm512_set1_ps(-0.0f);
    vec_mask above = _mm512_cmp_ps_mask(_mm512_andnot_ps(sign_bit, a), _mm512_set1_ps(b), _CMP_GE_OQ);
    vec signed_value = _mm512_or_ps(_mm512_and_ps(sign_bit, a), _mm512_set1_ps(otherwise));
    return _mm512_mask_blend_ps(above, chosen, signed_value);
}
/* a > 0 ? chosen : 0. NaN counts as more. */
static inline vec vec_if_positive(vec a, vec chosen) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_NLE_UQ), chosen);
}
static inline vec vec_abs(vec a) {
    return _mm512_abs_ps(a);
}
/* |a| with the sign of b, for a >= 0. */
static inline vec vec_copy_sign(vec a, vec b) {
    return _mm512_or_ps(a, _mm512_and_ps(_mm512_set1_ps(-0.0f), b));
}
/* table[i] in each lane, where i are the lowest bits of `index`: a number from 0 to 7 plus 1.5 * 2^23. */
static inline vec vec_pick(const float table[8], vec index) {
    return _mm512_permutexvar_ps(_mm512_castps_si512(index), _mm512_broadcast_f32x8(_mm256_loadu_ps(table)));
}
/* Of 16 pairs of BF16: the first (lower) or the second of each. */
static inline vec vec_bf16_first(const uint16_t *p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16));
}
static inline vec vec_bf16_second(const uint16_t *p) {
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi32((int)0xffff0000u)));
}

/* Reductions run over 16 lanes whatever the width, so that their order is the same everywhere: lane i of 16 takes the
 * elements i, i + 16, ...; the lanes then meet in halves. */
enum { VEC_GROUP = 16 / VEC_LANES };

/* One lane of 16 with op: lane i meets lane i + 8, then i + 4, i + 2 and i + 1. */
#define VEC_REDUCE(name, op256, op128, op_ss)                                                                          \
    static inline float name(const vec *group) {                                                                       \
        const __m256 eight = op256(_mm512_castps512_ps256(*group), _mm512_extractf32x8_ps(*group, 1));                 \
        const __m128 four = op128(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));                     \
        const __m128 two = op128(four, _mm_movehl_ps(four, four));                                                     \
        return _mm_cvtss_f32(op_ss(two, _mm_movehdup_ps(two)));                                                        \
    }
VEC_REDUCE(vec_lanes_sum, _mm256_add_ps, _mm_add_ps, _mm_add_ss)
VEC_REDUCE(vec_lanes_max, _mm256_max_ps, _mm_max_ps, _mm_max_ss)
#undef VEC_REDUCE

/* Tiles of the matrix product, rows by panels: 24 accumulators leave 8 registers of 32 for weights and x. */
#define MATMUL_TILES(X)                                                                                                \
    X(12, 2) X(8, 2) X(4, 2) X(2, 2) X(1, 2) X(12, 1) X(8, 1) X(4, 1) X(2, 1) X(1, 1) X(2, 4) X(1, 4) X(1, 8)
#define MATMUL_ROW_STEPS                                                                                               \
    { 12, 8, 4, 2, 1 }
/* Panels side by side for m rows: few rows need more of them to have enough independent sums. */
#define MATMUL_PANELS(m) ((m) >= 4 ? 2u : (m) >= 2 ? 4u : 8u)
#define MATMUL_MOST_ROWS 12u
#define MATMUL_TILE_FLOATS (12 * 2 * 16)

#endif
