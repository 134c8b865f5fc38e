/* Integer vectors of the product of quantized rows: AVX2. For matmul_i8_simd.h, after simd_avx2.h. */
#ifndef PML_RUNTIME_KERNELS_DOT_AVX2_H
#define PML_RUNTIME_KERNELS_DOT_AVX2_H

#include <string.h>

typedef __m256i ivec;

/* Products take the bytes with their signs, so sums begin at 0. */
#define DOT_IS_SHIFTED 0

static inline ivec ivec_load(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline void ivec_store(void *p, ivec a) {
    _mm256_storeu_si256((__m256i *)p, a);
}
static inline ivec ivec_zero(void) {
    return _mm256_setzero_si256();
}
/* Four bytes of a row, signed, in every lane. */
static inline ivec ivec_spread(const uint8_t *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four ^ (int32_t)0x80808080);
}
/* sums += the products of x's four bytes with each lane's four weights. Without -128 on either side |w| * (x with w's
 * sign) is x * w, and two such products stay below 2^15: nothing saturates. */
static inline ivec ivec_dot(ivec sums, ivec x, ivec w) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
/* The same for several rows, with less work for each. What depends on w alone is made once: |w|, and bits that take the
 * 128 off x and complement it where w is negative. The complement of x is -x - 1, so sums miss |w| there; a row of
 * zeros (bytes 128) that comes along misses as much, and is subtracted. Pairs stay below 127 * 128 * 2 < 2^15. */
#define DOT_FLIPS 1
typedef struct ivec_flipped {
    ivec magnitudes, flips;
} ivec_flipped;
static inline ivec_flipped ivec_flip(ivec w) {
    const __m256i negative = _mm256_cmpgt_epi8(_mm256_setzero_si256(), w);
    return (ivec_flipped){_mm256_abs_epi8(w), _mm256_xor_si256(negative, _mm256_set1_epi8((char)-128))};
}
/* Four bytes of a row as they are, in every lane. */
static inline ivec ivec_spread_bytes(const uint8_t *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four);
}
static inline ivec ivec_dot_flipped(ivec sums, ivec x, ivec_flipped w) {
    const __m256i pairs = _mm256_maddubs_epi16(w.magnitudes, _mm256_xor_si256(x, w.flips));
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
/* What the row of zeros adds. */
static inline ivec ivec_dot_flipped_zeros(ivec sums, ivec_flipped w) {
    return ivec_dot_flipped(sums, _mm256_set1_epi8((char)-128), w);
}
static inline ivec ivec_sub(ivec a, ivec b) {
    return _mm256_sub_epi32(a, b);
}
static inline vec ivec_to_vec(ivec a) {
    return _mm256_cvtepi32_ps(a);
}
static inline vec vec_from_f16(const uint16_t *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

#define I8_TILES(X) X(4, 1) X(2, 1) X(1, 1) X(2, 2) X(1, 2) X(1, 4)
#define I8_ROW_STEPS                                                                                                   \
    { 4, 2, 1 }
#define I8_PANELS(m) ((m) >= 4 ? 1u : (m) >= 2 ? 2u : 4u)
#define I8_TILE_VECS 8u

#endif
