/* Activations in place: the plain twin that the others are tested against. */
#include "runtime/kernels/activation_scalar.h"

void pml_activate_f32_scalar(pml_activation activation, float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = activation_scalar(activation, x[i]);
    }
}
