/* Quantized rows by an I8 panel matrix, one scale per row or column and group of depth rows: SDOT. */
#include "runtime/kernels/simd_neon.h"

#include "runtime/kernels/dot_neon.h"

#define I8_IS_GROUPED 1
#include "runtime/kernels/matmul_i8_simd.h"

void pml_matmul_panel_i8g_sdot(const pml_matmul_i8 *job) {
    matmul_i8_simd(job);
}
