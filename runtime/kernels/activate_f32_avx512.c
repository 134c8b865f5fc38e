/* Activations in place: AVX-512. */
#include "runtime/kernels/simd_avx512.h"

#include "runtime/kernels/activation_simd.h"

void pml_activate_f32_avx512(pml_activation activation, float *x, size_t n) {
    activate_simd(activation, x, n);
}
