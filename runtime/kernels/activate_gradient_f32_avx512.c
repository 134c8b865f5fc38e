/* Gradients of activations: AVX-512. */
#include "runtime/kernels/simd_avx512.h"

#include "runtime/kernels/activation_gradient_simd.h"

void pml_activate_gradient_f32_avx512(const pml_activate_gradient *job) {
    activate_gradient_simd(job);
}
