/* Product with a BF16 panel matrix, weights widened: AVX2 and FMA. */
#include "runtime/kernels/simd_avx2.h"

#define MATMUL_LINE_DEPTH 2
#include "runtime/kernels/matmul_simd.h"

void pml_matmul_panel_bf16_avx2(const pml_matmul *job) {
    matmul_simd_panel(job);
}
