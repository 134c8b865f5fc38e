/* Product with an FP32 row matrix: AVX2 and FMA. */
#include "runtime/kernels/simd_avx2.h"

#define MATMUL_LINE_DEPTH 1
#include "runtime/kernels/matmul_simd.h"

/* The last columns, fewer than 16, are read with a mask. */
static __attribute__((noinline)) void tail_4(const pml_matmul *job, const matmul_weights *weights, size_t i_row,
                                             size_t i_column) {
    tile(job, weights, i_row, i_column, 4, 1, job->n - i_column);
}
static __attribute__((noinline)) void tail_1(const pml_matmul *job, const matmul_weights *weights, size_t i_row,
                                             size_t i_column) {
    tile(job, weights, i_row, i_column, 1, 1, job->n - i_column);
}

void pml_matmul_row_f32_avx2(const pml_matmul *job) {
    const matmul_weights weights = {.first = job->w, .panel_stride = PANEL_COLUMNS, .line_stride = job->n};
    size_t n_whole = job->n / PANEL_COLUMNS * PANEL_COLUMNS;
    matmul_simd(job, &weights, n_whole);
    if (n_whole == job->n) {
        return;
    }
    size_t i_row = 0;
    for (; job->m - i_row >= 4; i_row += 4) {
        tail_4(job, &weights, i_row, n_whole);
    }
    for (; i_row < job->m; i_row++) {
        tail_1(job, &weights, i_row, n_whole);
    }
}
