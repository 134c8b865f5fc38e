/* Vectors of 64-bit integers for dropout_body.h: AVX2. */
#ifndef PML_RUNTIME_KERNELS_WIDE_AVX2_H
#define PML_RUNTIME_KERNELS_WIDE_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define DROPOUT_WIDE
enum { WIDE_LANES = 4 };
typedef __m256i wide;

static inline wide wide_set(uint64_t x) {
    return _mm256_set1_epi64x((long long)x);
}
/* x, x + 2, x + 4, ... */
static inline wide wide_by_two(uint64_t x) {
    return _mm256_add_epi64(wide_set(x), _mm256_setr_epi64x(0, 2, 4, 6));
}
/* Of the lower halves. */
static inline wide wide_multiply(wide a, wide b) {
    return _mm256_mul_epu32(a, b);
}
static inline wide wide_high(wide a) {
    return _mm256_srli_epi64(a, 32);
}
static inline wide wide_xor(wide a, wide b) {
    return _mm256_xor_si256(a, b);
}
/* The lower halves of both, in turns. */
static inline void wide_store_pairs(uint32_t *words, wide even, wide odd) {
    const wide both = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
    _mm256_storeu_si256((__m256i *)(void *)words, both);
}

#endif
