/* Rows as bytes: the plain twin that the others are tested against. */
#include <math.h>
#include <string.h>

#include "runtime/kernels/quantize_i8.h"

/* n columns that share a scale. */
static float quantize_run(const float *x, size_t n, uint8_t *q) {
    uint32_t greatest = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7fffffffu;
        greatest = bits > greatest ? bits : greatest;
    }
    const quantize_scales scales = quantize_scales_of(greatest);
    for (size_t i = 0; i < n; i++) {
        /* At 1.5 * 2^23 a float has no places after the point: adding it rounds to nearest even. */
        const float rounded = scales.factor == 0.0f ? 0.0f : (x[i] * scales.factor + 12582912.0f) - 12582912.0f;
        q[i] = (uint8_t)(128 + (int)rounded);
    }
    return scales.scale;
}

void pml_quantize_i8_scalar(const pml_quantize *job) {
    quantize_rows(job, quantize_run);
}
