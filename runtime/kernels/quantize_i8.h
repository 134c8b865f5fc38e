/* What the variants of quantize_i8 share: the walk over rows and runs, and the scale of a run. */
#ifndef PML_RUNTIME_KERNELS_QUANTIZE_I8_H
#define PML_RUNTIME_KERNELS_QUANTIZE_I8_H

#include <math.h>
#include <string.h>

#include "runtime/kernels/kernels.h"

typedef struct quantize_scales {
    float scale;  /* what q is multiplied by */
    float factor; /* what x is multiplied by; 0: q is 0 whatever x is */
} quantize_scales;

/* `greatest`: the greatest magnitude as bits, which order like the magnitudes do, NaN above infinity. */
static inline quantize_scales quantize_scales_of(uint32_t greatest) {
    float magnitude;
    memcpy(&magnitude, &greatest, sizeof magnitude);
    if (greatest >= 0x7f800000u) {
        return (quantize_scales){NAN, 0.0f};
    }
    if (magnitude < 0x1p-100f) {
        return (quantize_scales){0.0f, 0.0f};
    }
    return (quantize_scales){magnitude / 127.0f, 127.0f / magnitude};
}

/* Quantizes n columns and returns their scale. */
typedef float quantize_run_fn(const float *x, size_t n, uint8_t *q);

static inline __attribute__((always_inline)) void quantize_rows(const pml_quantize *job, quantize_run_fn *run) {
    const size_t group = job->group == 0 ? job->k : job->group;
    float *scales = job->scales;
    for (size_t r = 0; r < job->m; r++) {
        const float *x = job->x + r * job->x_stride;
        uint8_t *q = job->q + r * job->q_stride;
        size_t i = 0;
        for (; i < job->k; i += group) {
            *scales++ = run(x + i, job->k - i < group ? job->k - i : group, q + i);
        }
        if (job->k == 0 && job->group == 0) {
            *scales++ = 0.0f;
        }
        for (i = job->k; i % 4 != 0; i++) {
            q[i] = 128;
        }
    }
}

#endif
