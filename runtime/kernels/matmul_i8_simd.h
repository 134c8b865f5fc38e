/* The product of quantized rows with I8 panels, once for all instruction sets. Include after simd_<isa>.h,
 * activation_simd.h and dot_<isa>.h, and after defining I8_IS_GROUPED.
 *
 * A tile of rows by 16-column panels keeps its I32 sums in registers over the whole depth, or over a group of it; the
 * sums, or in groups the scaled totals, meet in a small buffer, from which scales, bias, activation and residual are
 * applied before anything is written to y. */
#ifndef PML_RUNTIME_KERNELS_MATMUL_I8_SIMD_H
#define PML_RUNTIME_KERNELS_MATMUL_I8_SIMD_H

#include "runtime/kernels/matmul_i8_finish.h"

#if !defined(DOT_IS_SHIFTED) || !defined(I8_IS_GROUPED)
#error "include dot_<isa>.h and define I8_IS_GROUPED first"
#endif

/* What is the same for all tiles of a product. */
typedef struct i8_shape {
    size_t n_lines;     /* of a panel */
    size_t n_groups;    /* 1 without groups */
    size_t group_lines; /* lines of a group, all without groups */
} i8_shape;

/* Where the entries of a vector's columns lie among scales or sums. */
VEC_INLINE size_t entry_of(const i8_shape *shape, size_t i_column, size_t i_vec, size_t i_group) {
    return ((i_column / I8_COLUMNS + i_vec / I8_VECS) * shape->n_groups + i_group) * I8_COLUMNS +
           i_vec % I8_VECS * VEC_LANES;
}

/* Asks for what the next panels have where these have a line: to the second-level cache, because a first-level cache
 * does not hold panels of many rows. Panels are short for a CPU that finds out streams by itself. Past the end of the
 * matrix nothing is read. */
VEC_INLINE void prefetch_next(const int8_t *line, size_t panel_bytes, size_t n_panels) {
    VEC_UNROLL
    for (size_t p = 0; p < n_panels; p++) {
        __builtin_prefetch((const void *)((uintptr_t)line + (n_panels + p) * panel_bytes), 0, 2);
    }
}

#ifdef DOT_FLIPS
/* As add_lines, for rows enough to share what it costs. */
VEC_INLINE void add_lines_flipped(ivec *sums, const uint8_t *const *x, size_t x_stride, const int8_t *lines,
                                  size_t panel_bytes, size_t n_lines, size_t n_rows, size_t n_vecs) {
    ivec zeros[I8_VECS * 2];
    VEC_UNROLL
    for (size_t v = 0; v < n_vecs; v++) {
        zeros[v] = ivec_zero();
    }
    for (size_t i = 0; i < n_lines; i++) {
        prefetch_next(lines + i * I8_LINE, panel_bytes, n_vecs / I8_VECS);
        VEC_UNROLL
        for (size_t v = 0; v < n_vecs; v++) {
            const ivec_flipped w = ivec_flip(
                ivec_load(lines + i * I8_LINE + v / I8_VECS * panel_bytes + v % I8_VECS * VEC_LANES * I8_DEPTH));
            zeros[v] = ivec_dot_flipped_zeros(zeros[v], w);
            VEC_UNROLL
            for (size_t r = 0; r < n_rows; r++) {
                const ivec four = ivec_spread_bytes(x[r / 3] + i * I8_DEPTH + r % 3 * x_stride);
                sums[r * n_vecs + v] = ivec_dot_flipped(sums[r * n_vecs + v], four, w);
            }
        }
    }
    VEC_UNROLL
    for (size_t s = 0; s < n_rows * n_vecs; s++) {
        sums[s] = ivec_sub(sums[s], zeros[s % n_vecs]);
    }
}
#endif

/* Adds the products of n_lines lines to sums [n_rows][n_vecs]. Rows are reached from one pointer in three, so that
 * their addresses fit into the general registers. */
VEC_INLINE void add_lines(ivec *sums, const uint8_t *const *x, size_t x_stride, const int8_t *lines, size_t panel_bytes,
                          size_t n_lines, size_t n_rows, size_t n_vecs) {
#ifdef DOT_FLIPS
    if (n_rows >= 4) {
        add_lines_flipped(sums, x, x_stride, lines, panel_bytes, n_lines, n_rows, n_vecs);
        return;
    }
#endif
    for (size_t i = 0; i < n_lines; i++) {
        ivec w[8];
        prefetch_next(lines + i * I8_LINE, panel_bytes, n_vecs / I8_VECS);
        VEC_UNROLL
        for (size_t v = 0; v < n_vecs; v++) {
            w[v] = ivec_load(lines + i * I8_LINE + v / I8_VECS * panel_bytes + v % I8_VECS * VEC_LANES * I8_DEPTH);
        }
        VEC_UNROLL
        for (size_t r = 0; r < n_rows; r++) {
            const ivec four = ivec_spread(x[r / 3] + i * I8_DEPTH + r % 3 * x_stride);
            VEC_UNROLL
            for (size_t v = 0; v < n_vecs; v++) {
                sums[r * n_vecs + v] = ivec_dot(sums[r * n_vecs + v], four, w[v]);
            }
        }
    }
}

VEC_INLINE void start_sums(const pml_matmul_i8 *job, const i8_shape *shape, size_t i_column, size_t i_group, ivec *sums,
                           size_t n_rows, size_t n_vecs) {
    VEC_UNROLL
    for (size_t v = 0; v < n_vecs; v++) {
#if !DOT_IS_SHIFTED
        (void)job, (void)shape, (void)i_column, (void)i_group;
        const ivec start = ivec_zero();
#elif I8_IS_GROUPED
        const ivec start = ivec_start_i16((const int16_t *)job->w_sums + entry_of(shape, i_column, v, i_group));
#else
        const ivec start = ivec_start_i32((const int32_t *)job->w_sums + entry_of(shape, i_column, v, i_group));
#endif
        VEC_UNROLL
        for (size_t r = 0; r < n_rows; r++) {
            sums[r * n_vecs + v] = start;
        }
    }
}

#if I8_IS_GROUPED
/* totals += scaled sums of one group. */
VEC_INLINE void add_group(const pml_matmul_i8 *job, const i8_shape *shape, size_t i_row, size_t i_column,
                          size_t i_group, const ivec *sums, vec *totals, size_t n_rows, size_t n_vecs) {
    vec w_scales[8];
    VEC_UNROLL
    for (size_t v = 0; v < n_vecs; v++) {
        w_scales[v] = vec_from_f16((const uint16_t *)job->w_scales + entry_of(shape, i_column, v, i_group));
    }
    const float *x_scales = job->x_scales + i_row * shape->n_groups + i_group;
    VEC_UNROLL
    for (size_t r = 0; r < n_rows; r++) {
        const vec x_scale = vec_set(x_scales[r * shape->n_groups]);
        VEC_UNROLL
        for (size_t v = 0; v < n_vecs; v++) {
            vec *total = &totals[r * n_vecs + v];
            *total = vec_fma(ivec_to_vec(sums[r * n_vecs + v]), vec_mul(x_scale, w_scales[v]), *total);
        }
    }
}
#endif

VEC_INLINE void tile(const pml_matmul_i8 *job, const i8_shape *shape, size_t i_row, size_t i_column, size_t n_rows,
                     size_t n_panels) {
    const size_t n_vecs = n_panels * I8_VECS, panel_bytes = shape->n_lines * I8_LINE;
    const int8_t *lines = job->w + i_column / I8_COLUMNS * panel_bytes;
    const uint8_t *x[4];
    VEC_UNROLL
    for (size_t r = 0; r < n_rows; r += 3) {
        x[r / 3] = job->x + (i_row + r) * job->x_stride;
    }
    ivec sums[I8_TILE_VECS];
#if I8_IS_GROUPED
    vec totals[I8_TILE_VECS];
    VEC_UNROLL
    for (size_t s = 0; s < n_rows * n_vecs; s++) {
        totals[s] = vec_set(0.0f);
    }
    for (size_t g = 0; g < shape->n_groups; g++) {
        const size_t first = g * shape->group_lines, n_left = shape->n_lines - first;
        const size_t n = n_left < shape->group_lines ? n_left : shape->group_lines;
        start_sums(job, shape, i_column, g, sums, n_rows, n_vecs);
        add_lines(sums, x, job->x_stride, lines, panel_bytes, n, n_rows, n_vecs);
        add_group(job, shape, i_row, i_column, g, sums, totals, n_rows, n_vecs);
        lines += n * I8_LINE;
        VEC_UNROLL
        for (size_t r = 0; r < n_rows; r += 3) {
            x[r / 3] += n * I8_DEPTH;
        }
    }
    _Alignas(64) float meeting[I8_TILE_VECS * VEC_LANES];
    VEC_UNROLL
    for (size_t s = 0; s < n_rows * n_vecs; s++) {
        vec_store(meeting + s * VEC_LANES, totals[s]);
    }
    finish_tile(job, i_row, n_rows, i_column, n_panels, meeting);
#else
    _Alignas(64) int32_t meeting[I8_TILE_VECS * VEC_LANES];
    start_sums(job, shape, i_column, 0, sums, n_rows, n_vecs);
    add_lines(sums, x, job->x_stride, lines, panel_bytes, shape->n_lines, n_rows, n_vecs);
    VEC_UNROLL
    for (size_t s = 0; s < n_rows * n_vecs; s++) {
        ivec_store(meeting + s * VEC_LANES, sums[s]);
    }
    finish_tile(job, i_row, n_rows, i_column, n_panels, meeting);
#endif
}

/* Each tile form is one function of its own: its registers are then all its own. */
#define I8_DEFINE_TILE(rows, panels)                                                                                   \
    static __attribute__((noinline)) void tile_##rows##x##panels(const pml_matmul_i8 *job, const i8_shape *shape,      \
                                                                 size_t i_row, size_t i_column) {                      \
        tile(job, shape, i_row, i_column, rows, panels);                                                               \
    }
I8_TILES(I8_DEFINE_TILE)
#undef I8_DEFINE_TILE

static void run_tile(const pml_matmul_i8 *job, const i8_shape *shape, size_t i_row, size_t i_column, size_t n_rows,
                     size_t n_panels) {
    switch (n_rows * 16 + n_panels) {
#define I8_CASE(rows, panels)                                                                                          \
    case rows * 16 + panels:                                                                                           \
        tile_##rows##x##panels(job, shape, i_row, i_column);                                                           \
        break;
        I8_TILES(I8_CASE)
#undef I8_CASE
    default:
        break;
    }
}

/* The whole product. Columns are walked outside and rows inside, so that a tile's weights stay in the cache while all
 * rows use them. */
VEC_INLINE void matmul_i8_simd(const pml_matmul_i8 *job) {
    static const unsigned char row_steps[] = I8_ROW_STEPS;
    i8_shape shape = {.n_lines = (job->k + I8_DEPTH - 1) / I8_DEPTH, .n_groups = 1};
    shape.group_lines = shape.n_lines;
    if (I8_IS_GROUPED) {
        shape.group_lines = job->group_rows / I8_DEPTH;
        shape.n_groups = (shape.n_lines + shape.group_lines - 1) / shape.group_lines;
    }
    const size_t n_padded = (job->n + I8_COLUMNS - 1) / I8_COLUMNS * I8_COLUMNS;
    size_t n_panels = I8_PANELS(job->m);
    size_t i_column = 0;
    while (i_column < n_padded) {
        while (n_panels * I8_COLUMNS > n_padded - i_column) {
            n_panels /= 2;
        }
        size_t i_row = 0;
        for (size_t s = 0; s < sizeof row_steps; s++) {
            for (; job->m - i_row >= row_steps[s]; i_row += row_steps[s]) {
                run_tile(job, &shape, i_row, i_column, row_steps[s], n_panels);
            }
        }
        i_column += n_panels * I8_COLUMNS;
    }
}

#endif
