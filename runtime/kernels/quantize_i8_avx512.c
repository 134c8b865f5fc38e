/* Rows as bytes: AVX-512. */
#include "runtime/kernels/simd_avx512.h"

#include "runtime/kernels/quantize_i8.h"

static inline __m512i magnitudes(__m512 x) {
    return _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff));
}

/* Scaled numbers are within 127, so narrowing loses nothing. */
static inline __m128i to_bytes(__m512 x, __m512 factor) {
    const __m512i wide = _mm512_cvtps_epi32(_mm512_mul_ps(x, factor));
    return _mm_xor_si128(_mm512_cvtepi32_epi8(wide), _mm_set1_epi8((char)-128));
}

/* 64 numbers as bytes: packed within quarters of a register, which are then put in order. */
static inline __m512i to_64_bytes(const float *x, __m512 factor) {
    __m512i wide[4];
    for (size_t i = 0; i < 4; i++) {
        wide[i] = _mm512_cvtps_epi32(_mm512_mul_ps(vec_load(x + i * VEC_LANES), factor));
    }
    const __m512i bytes =
        _mm512_packs_epi16(_mm512_packs_epi32(wide[0], wide[1]), _mm512_packs_epi32(wide[2], wide[3]));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_xor_si512(_mm512_permutexvar_epi32(order, bytes), _mm512_set1_epi8((char)-128));
}

static float quantize_run(const float *x, size_t n, uint8_t *q) {
    __m512i greatest = _mm512_setzero_si512();
    size_t i = 0;
    for (; n - i >= VEC_LANES; i += VEC_LANES) {
        greatest = _mm512_max_epu32(greatest, magnitudes(vec_load(x + i)));
    }
    if (i < n) {
        greatest = _mm512_max_epu32(greatest, magnitudes(vec_load_part(x + i, n - i)));
    }
    const quantize_scales scales = quantize_scales_of(_mm512_reduce_max_epu32(greatest));
    if (scales.factor == 0.0f) {
        memset(q, 128, n);
        return scales.scale;
    }
    const vec factor = vec_set(scales.factor);
    for (i = 0; n - i >= 4 * VEC_LANES; i += 4 * VEC_LANES) {
        _mm512_storeu_si512(q + i, to_64_bytes(x + i, factor));
    }
    for (; n - i >= VEC_LANES; i += VEC_LANES) {
        _mm_storeu_si128((__m128i *)(void *)(q + i), to_bytes(vec_load(x + i), factor));
    }
    if (i < n) {
        _mm_mask_storeu_epi8(q + i, vec_first(n - i), to_bytes(vec_load_part(x + i, n - i), factor));
    }
    return scales.scale;
}

void pml_quantize_i8_avx512(const pml_quantize *job) {
    quantize_rows(job, quantize_run);
}
