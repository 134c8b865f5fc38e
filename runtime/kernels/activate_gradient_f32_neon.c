/* Gradients of activations: NEON. */
#include "runtime/kernels/simd_neon.h"

#include "runtime/kernels/activation_gradient_simd.h"

void pml_activate_gradient_f32_neon(const pml_activate_gradient *job) {
    activate_gradient_simd(job);
}
