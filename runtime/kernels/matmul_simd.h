/* The matrix product on vectors, once for all widths, layouts and weight dtypes. Include after simd_<isa>.h and after
 * defining MATMUL_LINE_DEPTH: 1 for FP32 weights, 2 for BF16 panels, whose lines hold two depth rows.
 *
 * A tile of rows by 16-column panels keeps its sums in registers over PML_MATMUL_DEPTH depth rows; the partial sums
 * meet in a small buffer, where bias, activation and residual are applied before anything is written to y. */
#ifndef PML_RUNTIME_KERNELS_MATMUL_SIMD_H
#define PML_RUNTIME_KERNELS_MATMUL_SIMD_H

#include "runtime/kernels/activation_simd.h"
#include "runtime/kernels/simd_unroll.h"

#if !defined(MATMUL_LINE_DEPTH) || !defined(MATMUL_TILES)
#error "include simd_<isa>.h and define MATMUL_LINE_DEPTH first"
#endif

enum { PANEL_COLUMNS = 16, VECS_PER_PANEL = PANEL_COLUMNS / VEC_LANES };

#if MATMUL_LINE_DEPTH == 1
typedef float matmul_weight;
#else
typedef uint16_t matmul_weight;
#endif

/* Where weights lie: strides in elements. */
typedef struct matmul_weights {
    const matmul_weight *first;
    size_t panel_stride; /* from a panel of 16 columns to the next */
    size_t line_stride;  /* from a line to the next */
} matmul_weights;

/* Vector i_vec of a tile's line, depth row d of it. `n_columns` counts what exists: less than 16 only in a row-major
 * matrix's last panel. */
VEC_INLINE vec read_weights(const matmul_weight *line, size_t panel_stride, size_t i_vec, size_t d, size_t n_columns) {
    const size_t first = i_vec % VECS_PER_PANEL * VEC_LANES;
    const matmul_weight *p = line + i_vec / VECS_PER_PANEL * panel_stride + first * MATMUL_LINE_DEPTH;
#if MATMUL_LINE_DEPTH == 1
    (void)d;
    if (n_columns >= first + VEC_LANES) {
        return vec_load(p);
    }
    return n_columns <= first ? vec_set(0.0f) : vec_load_part(p, n_columns - first);
#else
    (void)n_columns;
    return d == 0 ? vec_bf16_first(p) : vec_bf16_second(p);
#endif
}

/* sums [n_rows][n_vecs] of one depth row: x is the column of x that belongs to it. Rows are reached from one pointer
 * in three, so that their addresses fit into the general registers. */
VEC_INLINE void step(vec *sums, const float *const *x, size_t x_stride, size_t i_depth, const matmul_weight *line,
                     size_t panel_stride, size_t d, size_t n_rows, size_t n_vecs, size_t n_columns) {
    vec w[8];
    VEC_UNROLL
    for (size_t v = 0; v < n_vecs; v++) {
        w[v] = read_weights(line, panel_stride, v, d, n_columns);
    }
    VEC_UNROLL
    for (size_t r = 0; r < n_rows; r++) {
        const vec factor = vec_set(x[r / 3][i_depth + r % 3 * x_stride]);
        VEC_UNROLL
        for (size_t v = 0; v < n_vecs; v++) {
            sums[r * n_vecs + v] = vec_fma(factor, w[v], sums[r * n_vecs + v]);
        }
    }
}

/* Bias, activation and residual of a tile of sums [n_rows][n_columns padded to 16], then y. */
static __attribute__((noinline)) void finish_tile(const pml_matmul *job, size_t i_row, size_t n_rows, size_t i_column,
                                                  size_t n_panels, const float *sums) {
    for (size_t v = 0; v < n_panels * VECS_PER_PANEL && i_column + v * VEC_LANES < job->n; v++) {
        size_t column = i_column + v * VEC_LANES;
        size_t n_left = job->n - column;
        vec bias = vec_set(0.0f);
        if (job->bias != NULL) {
            bias = n_left < VEC_LANES ? vec_load_part(job->bias + column, n_left) : vec_load(job->bias + column);
        }
        for (size_t r = 0; r < n_rows; r++) {
            vec value = vec_load(sums + (r * n_panels * VECS_PER_PANEL + v) * VEC_LANES);
            value = vec_activate(job->activation, vec_add(value, bias));
            if (job->residual != NULL) {
                const float *residual = job->residual + (i_row + r) * job->residual_stride + column;
                value = vec_add(value, n_left < VEC_LANES ? vec_load_part(residual, n_left) : vec_load(residual));
            }
            float *y = job->y + (i_row + r) * job->y_stride + column;
            if (n_left < VEC_LANES) {
                vec_store_part(y, value, n_left);
            } else {
                vec_store(y, value);
            }
        }
    }
}

VEC_INLINE void tile(const pml_matmul *job, const matmul_weights *weights, size_t i_row, size_t i_column, size_t n_rows,
                     size_t n_panels, size_t n_columns) {
    const size_t n_vecs = n_panels * VECS_PER_PANEL;
    const size_t x_stride = job->x_stride, k = job->k;
    const size_t panel_stride = weights->panel_stride, line_stride = weights->line_stride;
    const matmul_weight *line = weights->first + i_column / PANEL_COLUMNS * panel_stride;
    const float *x[4];
    VEC_UNROLL
    for (size_t r = 0; r < n_rows; r += 3) {
        x[r / 3] = job->x + (i_row + r) * x_stride;
    }
    _Alignas(64) float totals[MATMUL_TILE_FLOATS];
    size_t i = 0;
    do {
        vec sums[24];
        VEC_UNROLL
        for (size_t s = 0; s < n_rows * n_vecs; s++) {
            sums[s] = vec_set(0.0f);
        }
        const size_t last = k - i > PML_MATMUL_DEPTH ? i + PML_MATMUL_DEPTH : k;
        for (; i + MATMUL_LINE_DEPTH <= last; i += MATMUL_LINE_DEPTH) {
            step(sums, x, x_stride, i, line, panel_stride, 0, n_rows, n_vecs, n_columns);
#if MATMUL_LINE_DEPTH == 2
            step(sums, x, x_stride, i + 1, line, panel_stride, 1, n_rows, n_vecs, n_columns);
#endif
            line += line_stride;
        }
#if MATMUL_LINE_DEPTH == 2
        if (i < last) { /* k is odd: the last line's second depth row is padding and x has none for it */
            step(sums, x, x_stride, i, line, panel_stride, 0, n_rows, n_vecs, n_columns);
            i++;
        }
#endif
        const bool is_first = i <= PML_MATMUL_DEPTH;
        VEC_UNROLL
        for (size_t s = 0; s < n_rows * n_vecs; s++) {
            vec_store(totals + s * VEC_LANES, is_first ? sums[s] : vec_add(vec_load(totals + s * VEC_LANES), sums[s]));
        }
    } while (i < k);
    finish_tile(job, i_row, n_rows, i_column, n_panels, totals);
}

/* Each tile form is one function of its own: its registers are then all its own. */
#define MATMUL_DEFINE_TILE(rows, panels)                                                                               \
    static __attribute__((noinline)) void tile_##rows##x##panels(const pml_matmul *job, const matmul_weights *weights, \
                                                                 size_t i_row, size_t i_column) {                      \
        tile(job, weights, i_row, i_column, rows, panels, panels *PANEL_COLUMNS);                                      \
    }
MATMUL_TILES(MATMUL_DEFINE_TILE)
#undef MATMUL_DEFINE_TILE

static void run_tile(const pml_matmul *job, const matmul_weights *weights, size_t i_row, size_t i_column, size_t n_rows,
                     size_t n_panels) {
    switch (n_rows * 16 + n_panels) {
#define MATMUL_CASE(rows, panels)                                                                                      \
    case rows * 16 + panels:                                                                                           \
        tile_##rows##x##panels(job, weights, i_row, i_column);                                                         \
        break;
        MATMUL_TILES(MATMUL_CASE)
#undef MATMUL_CASE
    default:
        break;
    }
}

/* The whole product. Columns are walked outside and rows inside, so that a tile's weights stay in the cache while all
 * rows use them. `n_whole` is how many columns can be read 16 at a time. */
VEC_INLINE void matmul_simd(const pml_matmul *job, const matmul_weights *weights, size_t n_whole) {
    static const unsigned char row_steps[] = MATMUL_ROW_STEPS;
    size_t n_panels = MATMUL_PANELS(job->m);
    size_t i_column = 0;
    while (i_column < n_whole) {
        while (n_panels * PANEL_COLUMNS > n_whole - i_column) {
            n_panels /= 2;
        }
        size_t i_row = 0;
        for (size_t s = 0; s < sizeof row_steps; s++) {
            for (; job->m - i_row >= row_steps[s]; i_row += row_steps[s]) {
                run_tile(job, weights, i_row, i_column, row_steps[s], n_panels);
            }
        }
        i_column += n_panels * PANEL_COLUMNS;
    }
}

#if MATMUL_LINE_DEPTH == 1
static __attribute__((noinline)) void row_tail_4(const pml_matmul *job, const matmul_weights *weights, size_t i_row,
                                                 size_t i_column) {
    tile(job, weights, i_row, i_column, 4, 1, job->n - i_column);
}

static __attribute__((noinline)) void row_tail_1(const pml_matmul *job, const matmul_weights *weights, size_t i_row,
                                                 size_t i_column) {
    tile(job, weights, i_row, i_column, 1, 1, job->n - i_column);
}

/* A row-major matrix: its last columns, fewer than 16, are read in part. */
VEC_INLINE void matmul_simd_row(const pml_matmul *job) {
    const matmul_weights weights = {.first = job->w, .panel_stride = PANEL_COLUMNS, .line_stride = job->n};
    const size_t n_whole = job->n / PANEL_COLUMNS * PANEL_COLUMNS;
    matmul_simd(job, &weights, n_whole);
    size_t i_row = n_whole == job->n ? job->m : 0;
    for (; job->m - i_row >= 4; i_row += 4) {
        row_tail_4(job, &weights, i_row, n_whole);
    }
    for (; i_row < job->m; i_row++) {
        row_tail_1(job, &weights, i_row, n_whole);
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
