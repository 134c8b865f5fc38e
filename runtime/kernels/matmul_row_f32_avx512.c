/* Product with an FP32 row matrix: AVX-512. */
#include "runtime/kernels/simd_avx512.h"

#define MATMUL_LINE_DEPTH 1
#include "runtime/kernels/matmul_simd.h"

void pml_matmul_row_f32_avx512(const pml_matmul *job) {
    matmul_simd_row(job);
}
