/* Vectors of 8 floats: what the shared SIMD bodies (activation_simd.h, matmul_simd.h, ...) are written in.
 * For files compiled with the avx2 bundle only; everything is static, so that nothing wide leaks out of them. */
#ifndef PML_RUNTIME_KERNELS_SIMD_AVX2_H
#define PML_RUNTIME_KERNELS_SIMD_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define VEC_LANES 8u
typedef __m256 vec;

/* The first n < 8 lanes. */
static inline __m256i vec_first(size_t n) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lanes);
}
static inline vec vec_load(const float *p) {
    return _mm256_loadu_ps(p);
}
static inline void vec_store(float *p, vec a) {
    _mm256_storeu_ps(p, a);
}
/* Lanes that are not read are 0; lanes that are not in the mask are not written. */
static inline vec vec_load_part(const float *p, size_t n) {
    return _mm256_maskload_ps(p, vec_first(n));
}
/* As vec_load_part, but lanes that are not read are `otherwise`. */
static inline vec vec_load_part_else(const float *p, size_t n, float otherwise) {
    __m256i first = vec_first(n);
    return _mm256_blendv_ps(_mm256_set1_ps(otherwise), _mm256_maskload_ps(p, first), _mm256_castsi256_ps(first));
}
static inline void vec_store_part(float *p, vec a, size_t n) {
    _mm256_maskstore_ps(p, vec_first(n), a);
}
static inline vec vec_set(float x) {
    return _mm256_set1_ps(x);
}
static inline vec vec_add(vec a, vec b) {
    return _mm256_add_ps(a, b);
}
static inline vec vec_sub(vec a, vec b) {
    return _mm256_sub_ps(a, b);
}
static inline vec vec_mul(vec a, vec b) {
    return _mm256_mul_ps(a, b);
}
static inline vec vec_div(vec a, vec b) {
    return _mm256_div_ps(a, b);
}
/* a * b + c, rounded once. */
static inline vec vec_fma(vec a, vec b, vec c) {
    return _mm256_fmadd_ps(a, b, c);
}
/* When either is NaN the result is b. */
static inline vec vec_max(vec a, vec b) {
    return _mm256_max_ps(a, b);
}
static inline vec vec_min(vec a, vec b) {
    return _mm256_min_ps(a, b);
}
/* To the nearest integer, ties to even, for |a| < 2^22: at 1.5 * 2^23 a float has no places after the point. */
static inline vec vec_round(vec a) {
    const vec shift = vec_set(12582912.0f);
    return vec_sub(vec_add(a, shift), shift);
}
/* a * 2^n for whole n in [-252, 254], rounded once, denormals included: 2^n as two factors that are both normal, of
 * which the first cannot leave the normal range when a is near 1. */
static inline vec vec_scale(vec a, vec n) {
    __m256i exponent = _mm256_cvtps_epi32(n);
    __m256i half = _mm256_srai_epi32(exponent, 1);
    __m256i rest = _mm256_sub_epi32(exponent, half);
    const __m256i bias = _mm256_set1_epi32(127);
    vec first = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    vec second = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
    return _mm256_mul_ps(_mm256_mul_ps(a, first), second);
}
/* |a| < b ? chosen : otherwise with the sign of a. NaN counts as less. */
static inline vec vec_if_magnitude_below(vec a, float b, vec chosen, float otherwise) {
    const __m256 sign_bit = _mm256_set1_ps(-0.0f);
    vec above = _mm256_cmp_ps(_mm256_andnot_ps(sign_bit, a), _mm256_set1_ps(b), _CMP_GE_OQ);
    vec signed_value = _mm256_or_ps(_mm256_and_ps(sign_bit, a), _mm256_set1_ps(otherwise));
    return _mm256_blendv_ps(chosen, signed_value, above);
}
/* a > 0 ? chosen : 0. NaN counts as more. */
static inline vec vec_if_positive(vec a, vec chosen) {
    return _mm256_and_ps(_mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_NLE_UQ), chosen);
}
static inline vec vec_abs(vec a) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
/* |a| with the sign of b, for a >= 0. */
static inline vec vec_copy_sign(vec a, vec b) {
    return _mm256_or_ps(a, _mm256_and_ps(_mm256_set1_ps(-0.0f), b));
}
/* table[i] in each lane, where i are the lowest bits of `index`: a number from 0 to 7 plus 1.5 * 2^23. */
static inline vec vec_pick(const float table[8], vec index) {
    return _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), _mm256_castps_si256(index));
}
/* Of 8 pairs of BF16: the first (lower) or the second of each. */
static inline vec vec_bf16_first(const uint16_t *p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p), 16));
}
static inline vec vec_bf16_second(const uint16_t *p) {
    return _mm256_castsi256_ps(
        _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(const void *)p), _mm256_set1_epi32((int)0xffff0000u)));
}

/* Reductions run over 16 lanes whatever the width, so that their order is the same everywhere: lane i of 16 takes the
 * elements i, i + 16, ...; the lanes then meet in halves. */
enum { VEC_GROUP = 16 / VEC_LANES };

/* One lane of 16 with op: lane i meets lane i + 8, then i + 4, i + 2 and i + 1. */
#define VEC_REDUCE(name, op256, op128, op_ss)                                                                          \
    static inline float name(const vec *group) {                                                                       \
        const __m256 eight = op256(group[0], group[1]);                                                                \
        const __m128 four = op128(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));                     \
        const __m128 two = op128(four, _mm_movehl_ps(four, four));                                                     \
        return _mm_cvtss_f32(op_ss(two, _mm_movehdup_ps(two)));                                                        \
    }
VEC_REDUCE(vec_lanes_sum, _mm256_add_ps, _mm_add_ps, _mm_add_ss)
VEC_REDUCE(vec_lanes_max, _mm256_max_ps, _mm_max_ps, _mm_max_ss)
#undef VEC_REDUCE

/* Tiles of the matrix product, rows by panels: 12 accumulators leave 4 registers of 16 for weights and x. */
#define MATMUL_TILES(X) X(6, 1) X(4, 1) X(2, 1) X(1, 1) X(2, 2) X(1, 2) X(1, 4)
#define MATMUL_ROW_STEPS                                                                                               \
    { 6, 4, 2, 1 }
/* Panels side by side for m rows: few rows need more of them to have enough independent sums. */
#define MATMUL_PANELS(m) ((m) >= 4 ? 1u : (m) >= 2 ? 2u : 4u)
#define MATMUL_MOST_ROWS 6u
#define MATMUL_TILE_FLOATS (6 * 16)

#endif
