/* Integer vectors of the product of quantized rows: AVX-VNNI. For matmul_i8_simd.h, after simd_avx2.h. */
#ifndef PML_RUNTIME_KERNELS_DOT_AVXVNNI_H
#define PML_RUNTIME_KERNELS_DOT_AVXVNNI_H

#include <string.h>

typedef __m256i ivec;

/* Products take the bytes as they are, 128 too large: sums begin at -128 times the sum of the weights. */
#define DOT_IS_SHIFTED 1

static inline ivec ivec_load(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline void ivec_store(void *p, ivec a) {
    _mm256_storeu_si256((__m256i *)p, a);
}
static inline ivec ivec_zero(void) {
    return _mm256_setzero_si256();
}
/* -128 times 8 sums of weights. */
static inline ivec ivec_start_i32(const int32_t *sums) {
    return _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_slli_epi32(ivec_load(sums), 7));
}
static inline ivec ivec_start_i16(const int16_t *sums) {
    const __m256i wide = _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)sums));
    return _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_slli_epi32(wide, 7));
}
/* Four bytes of a row, in every lane. */
static inline ivec ivec_spread(const uint8_t *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four);
}
/* sums += the products of x's four bytes with each lane's four weights; as a statement for the reason that
 * dot_avx512vnni.h gives. */
static inline ivec ivec_dot(ivec sums, ivec x, ivec w) {
#if defined(__clang__)
    return _mm256_dpbusd_avx_epi32(sums, x, w);
#else
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums) : "x"(x), "x"(w));
    return sums;
#endif
}
static inline vec ivec_to_vec(ivec a) {
    return _mm256_cvtepi32_ps(a);
}
static inline vec vec_from_f16(const uint16_t *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

#define I8_TILES(X) X(6, 1) X(4, 1) X(2, 1) X(1, 1) X(2, 2) X(1, 2) X(1, 4)
#define I8_ROW_STEPS                                                                                                   \
    { 6, 4, 2, 1 }
#define I8_PANELS(m) ((m) >= 4 ? 1u : (m) >= 2 ? 2u : 4u)
#define I8_TILE_VECS 12u

#endif
