/* Product with a BF16 panel matrix, x rounded to BF16: AVX-512 BF16. */
#include "runtime/kernels/simd_avx512.h"

#include "runtime/kernels/dot_avx512bf16.h"

#define MATMUL_LINE_DEPTH 2
#include "runtime/kernels/matmul_simd.h"

void pml_matmul_panel_bf16_avx512bf16(const pml_matmul *job) {
    if (job->k <= PML_MATMUL_BF16_EXACT_DEPTH) {
        pml_matmul_panel_bf16_avx512(job);
        return;
    }
    matmul_simd_panel(job);
}
