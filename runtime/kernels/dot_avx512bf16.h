/* Pairs of BF16 on both sides of a product: AVX-512 BF16. For matmul_simd.h, after simd_avx512.h. */
#ifndef PML_RUNTIME_KERNELS_DOT_AVX512BF16_H
#define PML_RUNTIME_KERNELS_DOT_AVX512BF16_H

#include <string.h>

#include "runtime/kernels/simd_unroll.h"

/* Sums run over so many depth rows before they are added up: what rounding x costs is far above what that changes. */
#define MATMUL_PAIRS 256

VEC_INLINE vec vec_bf16_pairs(const uint16_t *p) {
    return _mm512_castsi512_ps(_mm512_loadu_si512(p));
}
VEC_INLINE vec x_spread(const uint32_t *x) {
    return _mm512_castsi512_ps(_mm512_set1_epi32((int)*x));
}
/* sums += both products of each lane's pairs. As with other accumulating instructions, gcc 12 copies the sums of the
 * intrinsic from register to register. */
VEC_INLINE vec x_fma(vec x, vec w, vec sums) {
#if defined(__clang__)
    return _mm512_dpbf16_ps(sums, (__m512bh)_mm512_castps_si512(x), (__m512bh)_mm512_castps_si512(w));
#else
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sums) : "v"(x), "v"(w));
    return sums;
#endif
}
/* `n` values as pairs, rounded to the nearest even; a last one alone is paired with 0. */
VEC_INLINE void x_copy(const float *from, size_t n, uint32_t *to) {
    size_t i = 0;
    for (; n - i >= 32; i += 32) {
        const __m512bh pairs = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + i + 16), _mm512_loadu_ps(from + i));
        _mm512_storeu_si512(to + i / 2, (__m512i)pairs);
    }
    if (i < n) {
        const size_t low = n - i < 16 ? n - i : 16;
        const __m512bh pairs =
            _mm512_cvtne2ps_pbh(vec_load_part(from + i + low, n - i - low), vec_load_part(from + i, low));
        _mm512_mask_storeu_epi32(to + i / 2, (__mmask16)((1u << ((n - i + 1) / 2)) - 1u), (__m512i)pairs);
    }
}

#endif
