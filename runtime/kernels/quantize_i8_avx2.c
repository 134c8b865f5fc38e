/* Rows as bytes: AVX2. */
#include "runtime/kernels/simd_avx2.h"

#include "runtime/kernels/quantize_i8.h"

/* The greatest magnitude of 8 as bits. */
static inline uint32_t greatest_of(__m256i a) {
    __m128i half = _mm_max_epu32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(half);
}

static inline __m256i magnitudes(__m256 x) {
    return _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffffff));
}

/* 8 numbers as bytes in the lower half. Scaled numbers are within 127, so packing saturates nothing. */
static inline __m128i to_bytes(__m256 x, __m256 factor) {
    const __m256i wide = _mm256_cvtps_epi32(_mm256_mul_ps(x, factor));
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    return _mm_xor_si128(_mm_packs_epi16(words, words), _mm_set1_epi8((char)-128));
}

static float quantize_run(const float *x, size_t n, uint8_t *q) {
    __m256i greatest = _mm256_setzero_si256();
    size_t i = 0;
    for (; n - i >= VEC_LANES; i += VEC_LANES) {
        greatest = _mm256_max_epu32(greatest, magnitudes(vec_load(x + i)));
    }
    if (i < n) {
        greatest = _mm256_max_epu32(greatest, magnitudes(vec_load_part(x + i, n - i)));
    }
    const quantize_scales scales = quantize_scales_of(greatest_of(greatest));
    if (scales.factor == 0.0f) {
        memset(q, 128, n);
        return scales.scale;
    }
    const vec factor = vec_set(scales.factor);
    for (i = 0; n - i >= VEC_LANES; i += VEC_LANES) {
        _mm_storel_epi64((__m128i *)(void *)(q + i), to_bytes(vec_load(x + i), factor));
    }
    if (i < n) {
        uint8_t rest[16];
        _mm_storeu_si128((__m128i *)(void *)rest, to_bytes(vec_load_part(x + i, n - i), factor));
        memcpy(q + i, rest, n - i);
    }
    return scales.scale;
}

void pml_quantize_i8_avx2(const pml_quantize *job) {
    quantize_rows(job, quantize_run);
}
