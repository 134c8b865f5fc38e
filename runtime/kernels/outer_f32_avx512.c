/* Sums of outer products: AVX-512. */
#include "runtime/kernels/simd_avx512.h"

#include "runtime/kernels/outer_simd.h"

void pml_outer_f32_avx512(const pml_outer *job) {
    outer_simd(job);
}
