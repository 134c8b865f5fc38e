/* Gradients of activations: AVX2 and FMA. */
#include "runtime/kernels/simd_avx2.h"

#include "runtime/kernels/activation_gradient_simd.h"

void pml_activate_gradient_f32_avx2(const pml_activate_gradient *job) {
    activate_gradient_simd(job);
}
