/* Integer vectors of the product of quantized rows: 64-bit Arm, with SDOT where the file is compiled for it, otherwise
 * by widening products. For matmul_i8_simd.h, after simd_neon.h. */
#ifndef PML_RUNTIME_KERNELS_DOT_NEON_H
#define PML_RUNTIME_KERNELS_DOT_NEON_H

#include <string.h>

typedef int32x4_t ivec;

/* Products take the bytes with their signs, so sums begin at 0. */
#define DOT_IS_SHIFTED 0

static inline ivec ivec_load(const void *p) {
    return vreinterpretq_s32_s8(vld1q_s8(p));
}
static inline void ivec_store(void *p, ivec a) {
    vst1q_s8(p, vreinterpretq_s8_s32(a));
}
static inline ivec ivec_zero(void) {
    return vdupq_n_s32(0);
}
/* Four bytes of a row, signed, in every lane. The sign changes in a general register: the vector units have the
 * products to do. */
static inline ivec ivec_spread(const uint8_t *x) {
    uint32_t four;
    memcpy(&four, x, sizeof four);
    return vreinterpretq_s32_u32(vdupq_n_u32(four ^ 0x80808080u));
}
/* sums += the products of x's four bytes with each lane's four weights. */
static inline ivec ivec_dot(ivec sums, ivec x, ivec w) {
    const int8x16_t a = vreinterpretq_s8_s32(x), b = vreinterpretq_s8_s32(w);
#if defined(__ARM_FEATURE_DOTPROD)
    return vdotq_s32(sums, a, b);
#else
    /* Without -128 on either side two products stay below 2^15: the sums of pairs are exact. */
    const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);
    return vpadalq_s16(sums, vpaddq_s16(low, high));
#endif
}
static inline vec ivec_to_vec(ivec a) {
    return vcvtq_f32_s32(a);
}
static inline vec vec_from_f16(const uint16_t *p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}

#define I8_TILES(X) X(6, 1) X(4, 1) X(2, 1) X(1, 1) X(2, 2) X(1, 2)
#define I8_ROW_STEPS                                                                                                   \
    { 6, 4, 2, 1 }
#define I8_PANELS(m) ((m) >= 4 ? 1u : 2u)
#define I8_TILE_VECS 24u

#endif
