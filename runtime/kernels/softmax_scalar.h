/* Softmax of one row: shared by the scalar softmax and the scalar attention. */
#ifndef PML_RUNTIME_KERNELS_SOFTMAX_SCALAR_H
#define PML_RUNTIME_KERNELS_SOFTMAX_SCALAR_H

#include <math.h>
#include <stddef.h>

static inline void softmax_scalar(float *x, size_t n) {
    float greatest = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        greatest = x[i] > greatest ? x[i] : greatest;
    }
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        x[i] = expf(x[i] - greatest);
        sum += (double)x[i];
    }
    float scale = (float)(1.0 / sum);
    for (size_t i = 0; i < n; i++) {
        x[i] *= scale;
    }
}

#endif
