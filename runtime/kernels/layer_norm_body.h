/* Layer normalisation in plain C, compiled once per instruction set: its loops over 16 lanes become vectors of any
 * width with the same order of operations, so all variants give the same bits.
 *
 * Two passes in double: with eps as small as 1e-12 a variance summed in float would show in the result. */
#ifndef PML_RUNTIME_KERNELS_LAYER_NORM_BODY_H
#define PML_RUNTIME_KERNELS_LAYER_NORM_BODY_H

#include <math.h>

#include "runtime/kernels/kernels.h"

enum { NORM_LANES = 16 };

static inline double norm_lanes_sum(double *lanes) {
    for (size_t half = NORM_LANES / 2; half > 0; half /= 2) {
        for (size_t i = 0; i < half; i++) {
            lanes[i] += lanes[i + half];
        }
    }
    return lanes[0];
}

static inline double norm_sum(const float *x, size_t n) {
    double lanes[NORM_LANES] = {0};
    size_t c = 0;
    for (; n - c >= NORM_LANES; c += NORM_LANES) {
        for (size_t i = 0; i < NORM_LANES; i++) {
            lanes[i] += (double)x[c + i];
        }
    }
    for (size_t i = 0; c + i < n; i++) {
        lanes[i] += (double)x[c + i];
    }
    return norm_lanes_sum(lanes);
}

static inline double norm_squares(const float *x, size_t n, double mean) {
    double lanes[NORM_LANES] = {0};
    size_t c = 0;
    for (; n - c >= NORM_LANES; c += NORM_LANES) {
        for (size_t i = 0; i < NORM_LANES; i++) {
            double distance = (double)x[c + i] - mean;
            lanes[i] += distance * distance;
        }
    }
    for (size_t i = 0; c + i < n; i++) {
        double distance = (double)x[c + i] - mean;
        lanes[i] += distance * distance;
    }
    return norm_lanes_sum(lanes);
}

static inline void layer_norm_body(const pml_layer_norm *job) {
    const size_t n = job->n_columns;
    for (size_t r = 0; r < job->n_rows; r++) {
        const float *x = job->x + r * n;
        float *y = job->y + r * n;
        const double mean = norm_sum(x, n) / (double)n;
        const double scale = 1.0 / sqrt(norm_squares(x, n, mean) / (double)n + job->eps);
        for (size_t c = 0; c < n; c++) {
            y[c] = (float)(((double)x[c] - mean) * scale);
        }
        if (job->weight != NULL) {
            for (size_t c = 0; c < n; c++) {
                y[c] *= job->weight[c];
            }
        }
        if (job->bias != NULL) {
            for (size_t c = 0; c < n; c++) {
                y[c] += job->bias[c];
            }
        }
    }
}

#endif
