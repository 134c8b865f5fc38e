/* Product with a BF16 panel matrix, weights widened: AVX-512. */
#include "runtime/kernels/simd_avx512.h"

#define MATMUL_LINE_DEPTH 2
#include "runtime/kernels/matmul_simd.h"

void pml_matmul_panel_bf16_avx512(const pml_matmul *job) {
    matmul_simd_panel(job);
}
