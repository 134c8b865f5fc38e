#include "convert/lines.h"

#include <math.h>
#include <string.h>

#define LANES PML_PANEL_COLUMNS

typedef float quad __attribute__((vector_size(16)));

static inline quad load_quad(const uint8_t *bytes) {
    quad value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline void store_quad(float *out, quad value) {
    memcpy(out, &value, sizeof value);
}

/* Four runs of four floats become four quarter lines. */
static inline void transpose_quads(const uint8_t *const runs[4], size_t offset_bytes, float *lines, size_t stride) {
    quad a = load_quad(runs[0] + offset_bytes), b = load_quad(runs[1] + offset_bytes);
    quad c = load_quad(runs[2] + offset_bytes), d = load_quad(runs[3] + offset_bytes);
    quad ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    quad cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    store_quad(lines, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
    store_quad(lines + stride, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
    store_quad(lines + 2 * stride, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
    store_quad(lines + 3 * stride, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}

void pml_lines_transpose(const uint8_t *const runs[PML_PANEL_COLUMNS], size_t n, float *lines, size_t stride) {
    size_t i = 0;
    /* Four runs at a time over 64 bytes each: all of a cache line is used before runs that may map to the same cache
     * set (their distance is often a multiple of 4096) push it out. */
    for (; i + LANES <= n; i += LANES) {
        for (size_t c = 0; c < LANES; c += 4) {
            for (size_t k = 0; k < LANES; k += 4) {
                transpose_quads(runs + c, (i + k) * sizeof(float), lines + (i + k) * stride + c, stride);
            }
        }
    }
    for (; i + 4 <= n; i += 4) {
        for (size_t c = 0; c < LANES; c += 4) {
            transpose_quads(runs + c, i * sizeof(float), lines + i * stride + c, stride);
        }
    }
    for (; i < n; i++) {
        for (size_t c = 0; c < LANES; c++) {
            memcpy(lines + i * stride + c, runs[c] + i * sizeof(float), sizeof(float));
        }
    }
}

/* One loop per dtype and kind of stride: with stride 1 spelt out the compiler vectorises it. */
#define WIDEN(type, expression)                                                                                        \
    do {                                                                                                               \
        if (stride == 1) {                                                                                             \
            for (size_t i = 0; i < n; i++) {                                                                           \
                type x;                                                                                                \
                memcpy(&x, bytes + i * sizeof x, sizeof x);                                                            \
                out[i] = (expression);                                                                                 \
            }                                                                                                          \
        } else {                                                                                                       \
            for (size_t i = 0; i < n; i++) {                                                                           \
                type x;                                                                                                \
                memcpy(&x, bytes + i * stride * sizeof x, sizeof x);                                                   \
                out[i] = (expression);                                                                                 \
            }                                                                                                          \
        }                                                                                                              \
    } while (0)

void pml_lines_widen(pml_dtype dtype, const uint8_t *bytes, uint64_t stride, size_t n, float *out) {
    if (dtype == PML_DTYPE_F32) {
        if (stride == 1) {
            memcpy(out, bytes, n * sizeof *out);
        } else {
            WIDEN(float, x);
        }
    } else if (dtype == PML_DTYPE_BF16) {
        WIDEN(uint16_t, pml_f32_from_bf16(x));
    } else if (dtype == PML_DTYPE_F16) {
        WIDEN(uint16_t, pml_f32_from_f16(x));
    } else if (dtype == PML_DTYPE_F64) {
        WIDEN(double, (float)x);
    }
}

bool pml_lines_are_finite(const float *values, size_t n, bool as_bf16) {
    /* The magnitude's bits plus this addend reach bit 31 exactly for infinities, NaN and, for BF16, what rounds up to
     * infinity. */
    const uint32_t addend = as_bf16 ? 0x00808000u : 0x00800000u;
    uint32_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, sizeof bits);
        seen |= (bits & 0x7fffffffu) + addend;
    }
    return (seen >> 31) == 0;
}

/* BF16's bits in the upper half, zeros below: the rounded value as an F32. NaN is not handled. */
static inline uint32_t round_bits(uint32_t bits) {
    return (bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u;
}

typedef struct lane_sums {
    double error[LANES], signal[LANES], greatest[LANES];
} lane_sums;

static void add_lanes(const lane_sums *sums, pml_rounding *rounding) {
    for (size_t c = 0; c < LANES; c++) {
        rounding->error += sums->error[c];
        rounding->signal += sums->signal[c];
        rounding->greatest = rounding->greatest > sums->greatest[c] ? rounding->greatest : sums->greatest[c];
    }
}

/* Rounds one line whose values stay finite. */
static inline void round_line(const float *line, uint32_t *bits, lane_sums *sums) {
    for (size_t c = 0; c < LANES; c++) {
        uint32_t exact;
        memcpy(&exact, line + c, sizeof exact);
        bits[c] = round_bits(exact);
    }
    for (size_t c = 0; c < LANES; c++) {
        float rounded;
        memcpy(&rounded, bits + c, sizeof rounded);
        double value = (double)line[c], difference = (double)rounded - value;
        sums->error[c] += difference * difference;
        sums->signal[c] += value * value;
        sums->greatest[c] = sums->greatest[c] > fabs(difference) ? sums->greatest[c] : fabs(difference);
    }
}

/* The same for any values. */
static void round_line_slowly(const float *line, uint32_t *bits, lane_sums *sums) {
    for (size_t c = 0; c < LANES; c++) {
        uint16_t rounded = pml_bf16_from_f32(line[c]);
        bits[c] = (uint32_t)rounded << 16;
        double value = (double)line[c], difference = (double)pml_f32_from_bf16(rounded) - value;
        if (isfinite(difference)) {
            sums->error[c] += difference * difference;
            sums->signal[c] += value * value;
            sums->greatest[c] = fmax(sums->greatest[c], fabs(difference));
        }
    }
}

void pml_lines_to_bf16(const float *values, size_t n, uint16_t *out, pml_rounding *rounding) {
    lane_sums sums = {0};
    const bool finite = pml_lines_are_finite(values, n, true);
    for (size_t i = 0; i < n; i += LANES) {
        float line[LANES] = {0};
        uint32_t bits[LANES];
        const size_t n_lanes = n - i < LANES ? n - i : LANES;
        memcpy(line, values + i, n_lanes * sizeof *line);
        if (finite) {
            round_line(line, bits, &sums);
        } else {
            round_line_slowly(line, bits, &sums);
        }
        for (size_t c = 0; c < n_lanes; c++) {
            out[i + c] = (uint16_t)(bits[c] >> 16);
        }
    }
    add_lanes(&sums, rounding);
}

void pml_lines_to_bf16_panel(const float *lines, size_t n, uint16_t *out, pml_rounding *rounding) {
    static const float zeros[LANES];
    lane_sums sums = {0};
    const bool finite = pml_lines_are_finite(lines, n * LANES, true);
    for (size_t i = 0; i < n; i += 2) {
        const float *first = lines + i * LANES;
        const float *second = i + 1 < n ? first + LANES : zeros;
        uint32_t first_bits[LANES], second_bits[LANES];
        if (finite) {
            round_line(first, first_bits, &sums);
            round_line(second, second_bits, &sums);
        } else {
            round_line_slowly(first, first_bits, &sums);
            round_line_slowly(second, second_bits, &sums);
        }
        for (size_t c = 0; c < LANES; c++) {
            uint32_t pair = first_bits[c] >> 16 | second_bits[c];
            memcpy(out + (i * LANES + 2 * c), &pair, sizeof pair);
        }
    }
    add_lanes(&sums, rounding);
}
