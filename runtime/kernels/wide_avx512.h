/* Vectors of 64-bit integers for dropout_body.h: AVX-512. */
#ifndef PML_RUNTIME_KERNELS_WIDE_AVX512_H
#define PML_RUNTIME_KERNELS_WIDE_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define DROPOUT_WIDE
enum { WIDE_LANES = 8 };
typedef __m512i wide;

static inline wide wide_set(uint64_t x) {
    return _mm512_set1_epi64((long long)x);
}
/* x, x + 2, x + 4, ... */
static inline wide wide_by_two(uint64_t x) {
    return _mm512_add_epi64(wide_set(x), _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14));
}
/* Of the lower halves. */
static inline wide wide_multiply(wide a, wide b) {
    return _mm512_mul_epu32(a, b);
}
static inline wide wide_high(wide a) {
    return _mm512_srli_epi64(a, 32);
}
static inline wide wide_xor(wide a, wide b) {
    return _mm512_xor_si512(a, b);
}
/* The lower halves of both, in turns. */
static inline void wide_store_pairs(uint32_t *words, wide even, wide odd) {
    _mm512_storeu_si512(words, _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32)));
}

#endif
