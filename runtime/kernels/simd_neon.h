/* Vectors of 4 floats: what the shared SIMD bodies (activation_simd.h, matmul_simd.h, ...) are written in.
 * For files compiled with the neon bundle, which every 64-bit Arm has. */
#ifndef PML_RUNTIME_KERNELS_SIMD_NEON_H
#define PML_RUNTIME_KERNELS_SIMD_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

#define VEC_LANES 4u
typedef float32x4_t vec;

static inline vec vec_load(const float *p) {
    return vld1q_f32(p);
}
static inline void vec_store(float *p, vec a) {
    vst1q_f32(p, a);
}
static inline vec vec_set(float x) {
    return vdupq_n_f32(x);
}
/* The first n < 4 lanes from p; lanes that are not read are `otherwise`. */
static inline vec vec_load_part_else(const float *p, size_t n, float otherwise) {
    vec a = vec_set(otherwise);
    if (n > 0) {
        a = vld1q_lane_f32(p, a, 0);
    }
    if (n > 1) {
        a = vld1q_lane_f32(p + 1, a, 1);
    }
    if (n > 2) {
        a = vld1q_lane_f32(p + 2, a, 2);
    }
    return a;
}
/* Lanes that are not read are 0; lanes from n on are not written. */
static inline vec vec_load_part(const float *p, size_t n) {
    return vec_load_part_else(p, n, 0.0f);
}
static inline void vec_store_part(float *p, vec a, size_t n) {
    if (n > 0) {
        vst1q_lane_f32(p, a, 0);
    }
    if (n > 1) {
        vst1q_lane_f32(p + 1, a, 1);
    }
    if (n > 2) {
        vst1q_lane_f32(p + 2, a, 2);
    }
}
static inline vec vec_add(vec a, vec b) {
    return vaddq_f32(a, b);
}
static inline vec vec_sub(vec a, vec b) {
    return vsubq_f32(a, b);
}
static inline vec vec_mul(vec a, vec b) {
    return vmulq_f32(a, b);
}
static inline vec vec_div(vec a, vec b) {
    return vdivq_f32(a, b);
}
/* a * b + c, rounded once. */
static inline vec vec_fma(vec a, vec b, vec c) {
    return vfmaq_f32(c, a, b);
}
/* When either is NaN the result is b, which NEON's own maximum does not promise. */
static inline vec vec_max(vec a, vec b) {
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}
static inline vec vec_min(vec a, vec b) {
    return vbslq_f32(vcltq_f32(a, b), a, b);
}
/* To the nearest integer, ties to even, for |a| < 2^22: at 1.5 * 2^23 a float has no places after the point. */
static inline vec vec_round(vec a) {
    const vec shift = vec_set(12582912.0f);
    return vec_sub(vec_add(a, shift), shift);
}
/* a * 2^n for whole n in [-252, 254], rounded once, denormals included: 2^n as two factors that are both normal, of
 * which the first cannot leave the normal range when a is near 1. */
static inline vec vec_scale(vec a, vec n) {
    const int32x4_t exponent = vcvtnq_s32_f32(n), half = vshrq_n_s32(exponent, 1), bias = vdupq_n_s32(127);
    const vec first = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(half, bias), 23));
    const vec second = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vsubq_s32(exponent, half), bias), 23));
    return vmulq_f32(vmulq_f32(a, first), second);
}
/* |a| < b ? chosen : otherwise with the sign of a. NaN counts as less. */
static inline vec vec_if_magnitude_below(vec a, float b, vec chosen, float otherwise) {
    const vec signed_value = vbslq_f32(vdupq_n_u32(0x80000000u), a, vec_set(otherwise));
    return vbslq_f32(vcageq_f32(a, vec_set(b)), signed_value, chosen);
}
/* a > 0 ? chosen : 0. NaN counts as more. */
static inline vec vec_if_positive(vec a, vec chosen) {
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(chosen), vcleq_f32(a, vec_set(0.0f))));
}
static inline vec vec_abs(vec a) {
    return vabsq_f32(a);
}
/* |a| with the sign of b, for a >= 0. */
static inline vec vec_copy_sign(vec a, vec b) {
    return vbslq_f32(vdupq_n_u32(0x80000000u), b, a);
}
/* table[i] in each lane, where i are the lowest bits of `index`: a number from 0 to 7 plus 1.5 * 2^23. */
static inline vec vec_pick(const float table[8], vec index) {
    const uint8x16x2_t bytes = {{vreinterpretq_u8_f32(vld1q_f32(table)), vreinterpretq_u8_f32(vld1q_f32(table + 4))}};
    const uint32x4_t i = vandq_u32(vreinterpretq_u32_f32(index), vdupq_n_u32(7));
    const uint32x4_t places = vmlaq_u32(vdupq_n_u32(0x03020100u), i, vdupq_n_u32(0x04040404u));
    return vreinterpretq_f32_u8(vqtbl2q_u8(bytes, vreinterpretq_u8_u32(places)));
}
/* Of 4 pairs of BF16: the first (lower) or the second of each. */
static inline vec vec_bf16_first(const uint16_t *p) {
    return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_u16(vld1q_u16(p)), 16));
}
static inline vec vec_bf16_second(const uint16_t *p) {
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_u16(vld1q_u16(p)), vdupq_n_u32(0xffff0000u)));
}

/* Reductions run over 16 lanes whatever the width, so that their order is the same everywhere: lane i of 16 takes the
 * elements i, i + 16, ...; the lanes then meet in halves. */
enum { VEC_GROUP = 16 / VEC_LANES };

/* One lane of 16 with op: lane i meets lane i + 8, then i + 4, i + 2 and i + 1. */
#define VEC_REDUCE(name, op)                                                                                           \
    static inline float name(const vec *group) {                                                                       \
        const vec four = op(op(group[0], group[2]), op(group[1], group[3]));                                           \
        const vec two = op(four, vextq_f32(four, four, 2));                                                            \
        return vgetq_lane_f32(op(two, vextq_f32(two, two, 1)), 0);                                                     \
    }
VEC_REDUCE(vec_lanes_sum, vec_add)
VEC_REDUCE(vec_lanes_max, vec_max)
#undef VEC_REDUCE

/* Tiles of the matrix product, rows by panels: 24 accumulators leave 8 registers of 32 for weights and x. */
#define MATMUL_TILES(X) X(6, 1) X(4, 1) X(2, 1) X(1, 1) X(2, 2) X(1, 2)
#define MATMUL_ROW_STEPS                                                                                               \
    { 6, 4, 2, 1 }
/* Panels side by side for m rows: few rows need more of them to have enough independent sums. */
#define MATMUL_PANELS(m) ((m) >= 4 ? 1u : 2u)
#define MATMUL_MOST_ROWS 6u
#define MATMUL_TILE_FLOATS (6 * 16)

#endif
