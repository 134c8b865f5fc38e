/* Rows as bytes: NEON. */
#include "runtime/kernels/simd_neon.h"

#include "runtime/kernels/quantize_i8.h"

enum { BYTES = 16 };

static inline uint32x4_t magnitudes(vec x) {
    return vandq_u32(vreinterpretq_u32_f32(x), vdupq_n_u32(0x7fffffffu));
}

/* 8 numbers as I16. Scaled numbers are within 127, so narrowing loses nothing. */
static inline int16x8_t to_words(const float *x, vec factor) {
    const int32x4_t low = vcvtnq_s32_f32(vec_mul(vec_load(x), factor));
    const int32x4_t high = vcvtnq_s32_f32(vec_mul(vec_load(x + VEC_LANES), factor));
    return vcombine_s16(vmovn_s32(low), vmovn_s32(high));
}

static inline void to_bytes(const float *x, vec factor, uint8_t *q) {
    const int8x16_t bytes = vcombine_s8(vmovn_s16(to_words(x, factor)), vmovn_s16(to_words(x + 8, factor)));
    vst1q_u8(q, veorq_u8(vreinterpretq_u8_s8(bytes), vdupq_n_u8(128)));
}

static float quantize_run(const float *x, size_t n, uint8_t *q) {
    uint32x4_t greatest = vdupq_n_u32(0);
    size_t i = 0;
    for (; n - i >= VEC_LANES; i += VEC_LANES) {
        greatest = vmaxq_u32(greatest, magnitudes(vec_load(x + i)));
    }
    if (i < n) {
        greatest = vmaxq_u32(greatest, magnitudes(vec_load_part(x + i, n - i)));
    }
    const quantize_scales scales = quantize_scales_of(vmaxvq_u32(greatest));
    if (scales.factor == 0.0f) {
        memset(q, 128, n);
        return scales.scale;
    }
    const vec factor = vec_set(scales.factor);
    for (i = 0; n - i >= BYTES; i += BYTES) {
        to_bytes(x + i, factor, q + i);
    }
    if (i < n) {
        float rest[BYTES] = {0};
        uint8_t bytes[BYTES];
        memcpy(rest, x + i, (n - i) * sizeof *rest);
        to_bytes(rest, factor, bytes);
        memcpy(q + i, bytes, n - i);
    }
    return scales.scale;
}

void pml_quantize_i8_neon(const pml_quantize *job) {
    quantize_rows(job, quantize_run);
}
