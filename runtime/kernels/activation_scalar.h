/* The activation functions on one float: the reference for every variant, and the tail of none. */
#ifndef PML_RUNTIME_KERNELS_ACTIVATION_SCALAR_H
#define PML_RUNTIME_KERNELS_ACTIVATION_SCALAR_H

#include <math.h>

#include "runtime/kernels/kernels.h"

static inline float activation_scalar(pml_activation activation, float x) {
    switch (activation) {
    case PML_ACTIVATION_RELU:
        return x < 0.0f ? 0.0f : x;
    case PML_ACTIVATION_GELU:
        return x * 0.5f * (1.0f + erff(x * 0.70710678118654752f));
    case PML_ACTIVATION_GELU_TANH:
        return x * 0.5f * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
    case PML_ACTIVATION_SILU:
        return x / (1.0f + expf(-x));
    case PML_ACTIVATION_TANH:
        return tanhf(x);
    case PML_ACTIVATION_SIGMOID:
        return 1.0f / (1.0f + expf(-x));
    case PML_ACTIVATION_IDENTITY:
    case PML_ACTIVATION_COUNT:
        break;
    }
    return x;
}

#endif
