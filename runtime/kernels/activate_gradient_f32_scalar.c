/* Gradients of activations: the plain twin that the others are tested against. */
#include <math.h>

#include "runtime/kernels/kernels.h"

/* x, but at most that far from 0: slopes are flat there, and an infinity times 0 would be NaN. */
static float within(float x, float most) {
    return x > most ? most : x < -most ? -most : x;
}

static float gelu_slope(float x) {
    const float at = within(x, 15.0f);
    return 0.5f + 0.5f * erff(at * 0.70710678118654752f) + at * 0.39894228040143268f * expf(-0.5f * at * at);
}

static float gelu_tanh_slope(float x) {
    const float at = within(x, 15.0f);
    const float y = tanhf(0.79788456080286536f * (at + 0.044715f * at * at * at));
    const float slope = 0.79788456080286536f * (1.0f + 3.0f * 0.044715f * at * at);
    return 0.5f * (1.0f + y) + 0.5f * at * (1.0f - y) * (1.0f + y) * slope;
}

static float slope_of(pml_activation activation, float x) {
    const float e = expf(-within(x, 87.0f)), s = 1.0f / (1.0f + e);
    switch (activation) {
    case PML_ACTIVATION_RELU:
        return x <= 0.0f ? 0.0f : 1.0f;
    case PML_ACTIVATION_GELU:
        return gelu_slope(x);
    case PML_ACTIVATION_GELU_TANH:
        return gelu_tanh_slope(x);
    case PML_ACTIVATION_SILU:
        return s * (1.0f + within(x, 87.0f) * (e * s));
    case PML_ACTIVATION_TANH:
        return (1.0f - tanhf(x)) * (1.0f + tanhf(x));
    case PML_ACTIVATION_SIGMOID:
        return e * s * s;
    case PML_ACTIVATION_IDENTITY:
    case PML_ACTIVATION_COUNT:
        break;
    }
    return 1.0f;
}

void pml_activate_gradient_f32_scalar(const pml_activate_gradient *job) {
    for (size_t i = 0; i < job->n; i++) {
        const float gradient = job->dy[i] * slope_of(job->activation, job->x[i]);
        job->dx[i] = job->adds ? job->dx[i] + gradient : gradient;
    }
}
