/* Activations in place: AVX2 and FMA. */
#include "runtime/kernels/simd_avx2.h"

#include "runtime/kernels/activation_simd.h"

void pml_activate_f32_avx2(pml_activation activation, float *x, size_t n) {
    activate_simd(activation, x, n);
}
