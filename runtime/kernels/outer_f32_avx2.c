/* Sums of outer products: AVX2 and FMA. */
#include "runtime/kernels/simd_avx2.h"

#include "runtime/kernels/outer_simd.h"

void pml_outer_f32_avx2(const pml_outer *job) {
    outer_simd(job);
}
