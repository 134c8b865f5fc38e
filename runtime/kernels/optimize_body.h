/* The optimizers' updates in plain C, compiled once per instruction set: without contraction (-ffp-contract=off) and
 * without sums over elements, vectors of any width give the same bits. */
#ifndef PML_RUNTIME_KERNELS_OPTIMIZE_BODY_H
#define PML_RUNTIME_KERNELS_OPTIMIZE_BODY_H

#include <math.h>

#include "runtime/kernels/kernels.h"

static inline void sgd_body(const pml_sgd *job) {
    const size_t n = job->n;
    float *restrict value = job->value, *restrict buffer = job->buffer;
    const float *restrict gradient = job->gradient;
    const float rate = job->rate, coupled = job->coupled, momentum = job->momentum, share = job->share;
    if (buffer == NULL) {
        for (size_t i = 0; i < n; i++) {
            value[i] -= rate * (gradient[i] + coupled * value[i]);
        }
        return;
    }
    if (job->is_first) {
        for (size_t i = 0; i < n; i++) {
            buffer[i] = gradient[i] + coupled * value[i];
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            buffer[i] = buffer[i] * momentum + share * (gradient[i] + coupled * value[i]);
        }
    }
    if (job->nesterov) {
        for (size_t i = 0; i < n; i++) {
            value[i] -= rate * (gradient[i] + coupled * value[i] + momentum * buffer[i]);
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            value[i] -= rate * buffer[i];
        }
    }
}

static inline void adam_body(const pml_adam *job) {
    const size_t n = job->n;
    float *restrict value = job->value, *restrict mean = job->mean, *restrict square = job->square;
    const float *restrict gradient = job->gradient;
    const float rate = -job->rate, keep = job->keep, coupled = job->coupled, share_1 = job->share_1;
    const float keep_2 = job->keep_2, share_2 = job->share_2, root = job->root, eps = job->eps;
    /* The nearer end is the one that is moved from, as PyTorch does it. */
    const bool is_small = share_1 < 0.5f;
    const float factor = is_small ? share_1 : -(1.0f - share_1);
    for (size_t i = 0; i < n; i++) {
        const float g = gradient[i] + coupled * value[i], before = mean[i];
        const float m = (is_small ? before : g) + factor * (g - before);
        const float s = square[i] * keep_2 + share_2 * g * g;
        mean[i] = m;
        square[i] = s;
        value[i] = value[i] * keep + rate * m / (sqrtf(s) / root + eps);
    }
}

static inline void lion_body(const pml_lion *job) {
    const size_t n = job->n;
    float *restrict value = job->value, *restrict mean = job->mean;
    const float *restrict gradient = job->gradient;
    const float rate = job->rate, keep = job->keep, keep_1 = job->keep_1, share_1 = job->share_1;
    const float keep_2 = job->keep_2, share_2 = job->share_2;
    for (size_t i = 0; i < n; i++) {
        const float g = gradient[i], m = mean[i];
        const float c = m * keep_1 + share_1 * g;
        const float sign = c > 0 ? 1.0f : c < 0 ? -1.0f : c; /* NaN stays */
        value[i] = value[i] * keep - rate * sign;
        mean[i] = m * keep_2 + share_2 * g;
    }
}

#endif
