/* The matrix product on vectors, once for all widths, layouts and weight dtypes. Include after simd_<isa>.h and after
 * defining MATMUL_LINE_DEPTH: 1 for FP32 weights, 2 for BF16 panels, whose lines hold two depth rows; and after
 * dot_avx512bf16.h for pairs of BF16 on both sides. */
#ifndef PML_RUNTIME_KERNELS_MATMUL_SIMD_H
#define PML_RUNTIME_KERNELS_MATMUL_SIMD_H

#include "runtime/kernels/matmul_tile.h"

/* The rows times n_panels panels from column `i_column` on. */
static void run_tile(const pml_matmul *job, const matmul_weights *weights, const matmul_rows *rows, size_t i_column,
                     size_t n_panels) {
    _Alignas(64) float totals[MATMUL_TILE_FLOATS];
    const matmul_weight *line = weights->first + i_column / PANEL_COLUMNS * weights->panel_stride;
    switch (rows->count * 16 + n_panels) {
#define MATMUL_CASE(n_rows, n_panels)                                                                                  \
    case n_rows * 16 + n_panels:                                                                                       \
        tile_##n_rows##x##n_panels(rows, weights, line, job->k, totals);                                               \
        break;
        MATMUL_TILES(MATMUL_CASE)
#undef MATMUL_CASE
    default:
        break;
    }
    finish_tile(job, rows->first, rows->count, i_column, n_panels, totals);
}

/* Weights of the columns that all rows go through before the next ones follow: copies of rows serve all of them. */
#define BLOCK_BYTES ((size_t)1 << 21)
/* A tile's rows, copied for a block of columns. Deeper ones are copied by tiles, some depth rows at a time. */
enum { READY_DEPTH = 4096, READY_STRIDE = READY_DEPTH / X_DEPTH + 16, READY_COUNT = MATMUL_MOST_ROWS * READY_STRIDE };

/* Rows of pairs are always copied, others when they lie a multiple of 4096 bytes apart: those share few places of the
 * first-level cache, where a tile's do not have room at once. */
static void make_ready(matmul_rows *rows, size_t depth, matmul_x *ready) {
#if !defined(MATMUL_PAIRS)
    if (rows->count <= 4 || rows->x_stride % 1024 != 0) {
        rows->ready = rows->x;
        rows->ready_stride = rows->x_stride;
        return;
    }
#endif
    rows->ready_stride = (depth + 31) / 32 * (32 / X_DEPTH) + 16;
    rows->ready = depth <= READY_DEPTH ? ready : NULL;
    for (size_t r = 0; r < rows->count && rows->ready != NULL; r++) {
        x_copy(rows->x + r * rows->x_stride, depth, ready + r * rows->ready_stride);
    }
}

/* The rows times the columns first .. last - 1. */
VEC_INLINE void run_rows(const pml_matmul *job, const matmul_weights *weights, const matmul_rows *rows, size_t first,
                         size_t last) {
    size_t n_panels = MATMUL_PANELS(job->m);
    for (size_t i_column = first; i_column < last; i_column += n_panels * PANEL_COLUMNS) {
        while (n_panels * PANEL_COLUMNS > last - i_column) {
            n_panels /= 2;
        }
        run_tile(job, weights, rows, i_column, n_panels);
    }
}

/* The whole product: blocks of columns outside and rows inside, so that a block's weights stay in the cache while all
 * rows use them. `n_whole` is how many columns can be read 16 at a time. */
VEC_INLINE void matmul_simd(const pml_matmul *job, const matmul_weights *weights, size_t n_whole) {
    static const unsigned char row_steps[] = MATMUL_ROW_STEPS;
    _Alignas(64) matmul_x ready[READY_COUNT];
    const size_t least = MATMUL_PANELS(job->m), line_bytes = PANEL_COLUMNS * sizeof(matmul_weight);
    const size_t n_fit = BLOCK_BYTES / (job->k * line_bytes + 1) / least * least;
    const size_t block = (n_fit > least ? n_fit : least) * PANEL_COLUMNS;
    for (size_t i_column = 0; i_column < n_whole; i_column += block) {
        const size_t last = n_whole - i_column < block ? n_whole : i_column + block;
        matmul_rows rows = {.x = job->x, .x_stride = job->x_stride};
        for (size_t s = 0; s < sizeof row_steps; s++) {
            rows.count = row_steps[s];
            for (; job->m - rows.first >= rows.count; rows.first += rows.count) {
                make_ready(&rows, job->k, ready);
                run_rows(job, weights, &rows, i_column, last);
                rows.x += rows.count * rows.x_stride;
            }
        }
    }
}

#if MATMUL_LINE_DEPTH == 1
/* The last columns of a row-major matrix, fewer than 16, which are read in part. */
VEC_INLINE void tail(const pml_matmul *job, const matmul_weights *weights, size_t i_row, size_t n_rows,
                     size_t i_column) {
    _Alignas(64) float totals[4 * PANEL_COLUMNS];
    const float *x = job->x + i_row * job->x_stride;
    const matmul_rows rows = {i_row, n_rows, x, job->x_stride, x, job->x_stride};
    tile(&rows, weights, weights->first + i_column, job->k, totals, n_rows, 1, job->n - i_column);
    finish_tile(job, i_row, n_rows, i_column, 1, totals);
}
static __attribute__((noinline)) void tail_4(const pml_matmul *job, const matmul_weights *weights, size_t i_row,
                                             size_t i_column) {
    tail(job, weights, i_row, 4, i_column);
}
static __attribute__((noinline)) void tail_1(const pml_matmul *job, const matmul_weights *weights, size_t i_row,
                                             size_t i_column) {
    tail(job, weights, i_row, 1, i_column);
}

/* A row-major matrix: its last columns, fewer than 16, are read in part. */
VEC_INLINE void matmul_simd_row(const pml_matmul *job) {
    const matmul_weights weights = {.first = job->w, .panel_stride = PANEL_COLUMNS, .line_stride = job->n};
    const size_t n_whole = job->n / PANEL_COLUMNS * PANEL_COLUMNS;
    matmul_simd(job, &weights, n_whole);
    size_t i_row = n_whole == job->n ? job->m : 0;
    for (; job->m - i_row >= 4; i_row += 4) {
        tail_4(job, &weights, i_row, n_whole);
    }
    for (; i_row < job->m; i_row++) {
        tail_1(job, &weights, i_row, n_whole);
    }
}
#endif

/* Panels are padded to 16 columns, so every column can be read. */
VEC_INLINE void matmul_simd_panel(const pml_matmul *job) {
    const size_t n_lines = (job->k + MATMUL_LINE_DEPTH - 1) / MATMUL_LINE_DEPTH;
    const size_t line = PANEL_COLUMNS * MATMUL_LINE_DEPTH;
    const matmul_weights weights = {.first = job->w, .panel_stride = n_lines * line, .line_stride = line};
    matmul_simd(job, &weights, (job->n + PANEL_COLUMNS - 1) / PANEL_COLUMNS * PANEL_COLUMNS);
}

#endif
