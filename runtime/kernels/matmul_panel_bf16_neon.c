/* Product with a BF16 panel matrix, weights widened: NEON. */
#include "runtime/kernels/simd_neon.h"

#define MATMUL_LINE_DEPTH 2
#include "runtime/kernels/matmul_simd.h"

void pml_matmul_panel_bf16_neon(const pml_matmul *job) {
    matmul_simd_panel(job);
}
