/* Product with an FP32 panel matrix: NEON. */
#include "runtime/kernels/simd_neon.h"

#define MATMUL_LINE_DEPTH 1
#include "runtime/kernels/matmul_simd.h"

void pml_matmul_panel_f32_neon(const pml_matmul *job) {
    matmul_simd_panel(job);
}
