/* Sums of outer products: NEON. */
#include "runtime/kernels/simd_neon.h"

#include "runtime/kernels/outer_simd.h"

void pml_outer_f32_neon(const pml_outer *job) {
    outer_simd(job);
}
