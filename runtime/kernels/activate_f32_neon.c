/* Activations in place: NEON. */
#include "runtime/kernels/simd_neon.h"

#include "runtime/kernels/activation_simd.h"

void pml_activate_f32_neon(pml_activation activation, float *x, size_t n) {
    activate_simd(activation, x, n);
}
