/* Product with an FP32 row matrix: NEON. */
#include "runtime/kernels/simd_neon.h"

#define MATMUL_LINE_DEPTH 1
#include "runtime/kernels/matmul_simd.h"

void pml_matmul_row_f32_neon(const pml_matmul *job) {
    matmul_simd_row(job);
}
