/* Tiles of the matrix product: the part of matmul_simd.h whose every instruction counts.
 *
 * A tile of rows by 16-column panels keeps its sums in registers over MATMUL_DEPTH depth rows; the partial sums meet in
 * a small buffer, where bias, activation and residual are applied before anything is written to y. */
#ifndef PML_RUNTIME_KERNELS_MATMUL_TILE_H
#define PML_RUNTIME_KERNELS_MATMUL_TILE_H

#include <string.h>

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

/* What a step multiplies a line's depth rows by: one value, or a pair of BF16. */
#if defined(MATMUL_PAIRS)
typedef uint32_t matmul_x;
enum { X_DEPTH = 2, MATMUL_DEPTH = MATMUL_PAIRS };
#else
typedef float matmul_x;
enum { X_DEPTH = 1, MATMUL_DEPTH = PML_MATMUL_DEPTH };
#endif

/* Where weights lie: strides in elements. */
typedef struct matmul_weights {
    const matmul_weight *first;
    size_t panel_stride; /* from a panel of 16 columns to the next */
    size_t line_stride;  /* from a line to the next */
} matmul_weights;

#if !defined(MATMUL_PAIRS)
VEC_INLINE void x_copy(const float *from, size_t n, float *to) {
    memcpy(to, from, n * sizeof *to);
}
VEC_INLINE vec x_spread(const float *x) {
    return vec_set(*x);
}
VEC_INLINE vec x_fma(vec x, vec w, vec sums) {
    return vec_fma(x, w, sums);
}
#endif

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
#elif defined(MATMUL_PAIRS)
    (void)n_columns, (void)d;
    return vec_bf16_pairs(p);
#else
    (void)n_columns;
    return d == 0 ? vec_bf16_first(p) : vec_bf16_second(p);
#endif
}

/* sums [n_rows][n_vecs] += what x's column `i` and depth row d of a line give. Rows are reached from one pointer in
 * three, so that their addresses fit into the general registers. */
VEC_INLINE void step(vec *sums, const matmul_x *const *x, size_t x_stride, size_t i, const matmul_weight *line,
                     size_t panel_stride, size_t d, size_t n_rows, size_t n_vecs, size_t n_columns) {
    if (n_rows < n_vecs) { /* few values of x wait in registers while the weights pass */
        vec factors[8];
        VEC_UNROLL
        for (size_t r = 0; r < n_rows; r++) {
            factors[r] = x_spread(x[r / 3] + r % 3 * x_stride + i);
        }
        VEC_UNROLL
        for (size_t v = 0; v < n_vecs; v++) {
            const vec w = read_weights(line, panel_stride, v, d, n_columns);
            VEC_UNROLL
            for (size_t r = 0; r < n_rows; r++) {
                sums[r * n_vecs + v] = x_fma(factors[r], w, sums[r * n_vecs + v]);
            }
        }
        return;
    }
    vec w[8];
    VEC_UNROLL
    for (size_t v = 0; v < n_vecs; v++) {
        w[v] = read_weights(line, panel_stride, v, d, n_columns);
    }
    VEC_UNROLL
    for (size_t r = 0; r < n_rows; r++) {
        const vec factor = x_spread(x[r / 3] + r % 3 * x_stride + i);
        VEC_UNROLL
        for (size_t v = 0; v < n_vecs; v++) {
            sums[r * n_vecs + v] = x_fma(factor, w[v], sums[r * n_vecs + v]);
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

/* Some rows of x, `ready` as steps read them; or NULL: MATMUL_DEPTH depth rows of each are copied at a time. */
typedef struct matmul_rows {
    size_t first, count; /* in the job */
    const float *x;
    size_t x_stride;
    const matmul_x *ready;
    size_t ready_stride;
} matmul_rows;

enum { COPY_STRIDE = MATMUL_DEPTH / X_DEPTH + 16 };

/* Between the depth rows of a line: clang keeps the line for the second one, for which the greatest tile on 16
 * registers has none left. */
VEC_INLINE void again(size_t n_rows) {
#if defined(__clang__)
    if (VEC_LANES == 8 && n_rows > 4) {
        __asm__ volatile("" : : : "memory");
    }
#else
    (void)n_rows;
#endif
}

/* totals [n_rows][n_vecs vectors] = the rows times the panels from `line` on. */
VEC_INLINE void tile(const matmul_rows *rows, const matmul_weights *weights, const matmul_weight *line, size_t depth,
                     float *totals, size_t n_rows, size_t n_panels, size_t n_columns) {
    const size_t n_vecs = n_panels * VECS_PER_PANEL, n_x = (depth + X_DEPTH - 1) / X_DEPTH;
    const size_t panel_stride = weights->panel_stride, line_stride = weights->line_stride;
    _Alignas(64) matmul_x copies[MATMUL_MOST_ROWS * COPY_STRIDE];
    const size_t x_stride = rows->ready == NULL ? COPY_STRIDE : rows->ready_stride;
    size_t done = 0;
    do {
        const size_t n = n_x - done > MATMUL_DEPTH / X_DEPTH ? MATMUL_DEPTH / X_DEPTH : n_x - done;
        const matmul_x *first = copies, *x[4];
        if (rows->ready != NULL) {
            first = rows->ready + done;
        } else {
            for (size_t r = 0; r < n_rows; r++) {
                const size_t i = done * X_DEPTH, left = depth - i < MATMUL_DEPTH ? depth - i : MATMUL_DEPTH;
                x_copy(rows->x + r * rows->x_stride + i, left, copies + r * COPY_STRIDE);
            }
        }
        VEC_UNROLL
        for (size_t r = 0; r < n_rows; r += 3) {
            x[r / 3] = first + r * x_stride;
        }
        vec sums[24];
        VEC_UNROLL
        for (size_t s = 0; s < n_rows * n_vecs; s++) {
            sums[s] = vec_set(0.0f);
        }
        size_t i = 0;
#if MATMUL_LINE_DEPTH == 1 || defined(MATMUL_PAIRS)
        for (; i < n; i++) {
            step(sums, x, x_stride, i, line, panel_stride, 0, n_rows, n_vecs, n_columns);
            line += line_stride;
        }
#else
        for (; i + 2 <= n; i += 2) {
            step(sums, x, x_stride, i, line, panel_stride, 0, n_rows, n_vecs, n_columns);
            again(n_rows);
            step(sums, x, x_stride, i + 1, line, panel_stride, 1, n_rows, n_vecs, n_columns);
            line += line_stride;
        }
        if (i < n) { /* the depth is odd: the last line's second row is padding and x has none for it */
            step(sums, x, x_stride, i, line, panel_stride, 0, n_rows, n_vecs, n_columns);
        }
#endif
        VEC_UNROLL
        for (size_t s = 0; s < n_rows * n_vecs; s++) {
            vec_store(totals + s * VEC_LANES, done == 0 ? sums[s] : vec_add(vec_load(totals + s * VEC_LANES), sums[s]));
        }
        done += n;
    } while (done < n_x);
}

/* Each tile form is one function of its own: its registers are then all its own. */
#define MATMUL_DEFINE_TILE(rows_, panels_)                                                                             \
    static __attribute__((noinline)) void tile_##rows_##x##panels_(                                                    \
        const matmul_rows *rows, const matmul_weights *weights, const matmul_weight *line, size_t depth,               \
        float *totals) {                                                                                               \
        tile(rows, weights, line, depth, totals, rows_, panels_, panels_ *PANEL_COLUMNS);                              \
    }
MATMUL_TILES(MATMUL_DEFINE_TILE)
#undef MATMUL_DEFINE_TILE

#endif
