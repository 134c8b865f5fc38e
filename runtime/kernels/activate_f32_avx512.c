/* Activations in place: AVX-512. */
#include "runtime/kernels/simd_avx512.h"

#include "runtime/kernels/activation_simd.h"

void pml_activate_f32_avx512(pml_activation activation, float *x, size_t n) {
    size_t i = 0;
    for (; n - i >= VEC_LANES; i += VEC_LANES) {
        vec_store(x + i, vec_activate(activation, vec_load(x + i)));
    }
    if (i < n) {
        vec_store_part(x + i, vec_activate(activation, vec_load_part(x + i, n - i)), n - i);
    }
}
