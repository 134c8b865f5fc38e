/* Integer vectors of the product of quantized rows: AVX-512 VNNI. For matmul_i8_simd.h, after simd_avx512.h. */
#ifndef PML_RUNTIME_KERNELS_DOT_AVX512VNNI_H
#define PML_RUNTIME_KERNELS_DOT_AVX512VNNI_H

#include <string.h>

typedef __m512i ivec;

/* Products take the bytes as they are, 128 too large: sums begin at -128 times the sum of the weights. */
#define DOT_IS_SHIFTED 1

static inline ivec ivec_load(const void *p) {
    return _mm512_loadu_si512(p);
}
static inline void ivec_store(void *p, ivec a) {
    _mm512_storeu_si512(p, a);
}
static inline ivec ivec_zero(void) {
    return _mm512_setzero_si512();
}
/* -128 times 16 sums of weights. */
static inline ivec ivec_start_i32(const int32_t *sums) {
    return _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(_mm512_loadu_si512(sums), 7));
}
static inline ivec ivec_start_i16(const int16_t *sums) {
    const __m512i wide = _mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)sums));
    return _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(wide, 7));
}
/* Four bytes of a row, in every lane. */
static inline ivec ivec_spread(const uint8_t *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm512_set1_epi32(four);
}
/* sums += the products of x's four bytes with each lane's four weights. gcc 12 copies the sums of the intrinsic from
 * register to register; a statement that it cannot look into keeps them where they are. */
static inline ivec ivec_dot(ivec sums, ivec x, ivec w) {
#if defined(__clang__)
    return _mm512_dpbusd_epi32(sums, x, w);
#else
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(x), "v"(w));
    return sums;
#endif
}
static inline vec ivec_to_vec(ivec a) {
    return _mm512_cvtepi32_ps(a);
}
static inline vec vec_from_f16(const uint16_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

/* 16 sums leave registers for as many totals of groups, for weights and for x. */
#define I8_TILES(X) X(8, 2) X(4, 2) X(2, 2) X(1, 2) X(8, 1) X(4, 1) X(2, 1) X(1, 1) X(2, 4) X(1, 4) X(1, 8)
#define I8_ROW_STEPS                                                                                                   \
    { 8, 4, 2, 1 }
#define I8_PANELS(m) ((m) >= 4 ? 2u : (m) >= 2 ? 4u : 8u)
#define I8_TILE_VECS 16u

#endif
