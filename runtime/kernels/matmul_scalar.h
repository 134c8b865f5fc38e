/* The scalar product, once for all weight layouts and dtypes: a file that includes it says how 16 weights are read. */
#ifndef PML_RUNTIME_KERNELS_MATMUL_SCALAR_H
#define PML_RUNTIME_KERNELS_MATMUL_SCALAR_H

#include "runtime/kernels/activation_scalar.h"
#include "runtime/kernels/simd_unroll.h"

enum { MATMUL_COLUMNS = 16, MATMUL_ROWS = 2 };

/* Four floats as the compilers' own vector type, which every target has or imitates: left to arrays, gcc keeps sums in
 * memory. Its operations are those of the four floats. */
typedef float matmul_quad __attribute__((vector_size(16)));
enum { MATMUL_QUADS = MATMUL_COLUMNS / 4 };

/* Reads W[i_depth][i_column .. i_column + 15] into `line`; columns past n give 0. i_column is a multiple of 16. */
typedef void matmul_line_fn(const pml_matmul *job, size_t i_depth, size_t i_column, float line[MATMUL_COLUMNS]);

/* n_rows (1 or 2) rows by up to 16 columns of y. */
static inline __attribute__((always_inline)) void matmul_scalar_tile(const pml_matmul *job, size_t i_row, size_t n_rows,
                                                                     size_t i_column, matmul_line_fn *read_line) {
    float sums[MATMUL_ROWS][MATMUL_COLUMNS] = {{0}};
    for (size_t first = 0; first < job->k; first += PML_MATMUL_DEPTH) {
        size_t last = job->k - first > PML_MATMUL_DEPTH ? first + PML_MATMUL_DEPTH : job->k;
        matmul_quad parts[MATMUL_ROWS * MATMUL_QUADS] = {{0}};
        for (size_t i = first; i < last; i++) {
            float line[MATMUL_COLUMNS];
            read_line(job, i, i_column, line);
            VEC_UNROLL
            for (size_t r = 0; r < n_rows; r++) {
                float x = job->x[(i_row + r) * job->x_stride + i];
                VEC_UNROLL
                for (size_t q = 0; q < MATMUL_QUADS; q++) {
                    matmul_quad weights = {line[4 * q], line[4 * q + 1], line[4 * q + 2], line[4 * q + 3]};
                    parts[r * MATMUL_QUADS + q] += x * weights;
                }
            }
        }
        VEC_UNROLL
        for (size_t r = 0; r < n_rows; r++) {
            VEC_UNROLL
            for (size_t c = 0; c < MATMUL_COLUMNS; c++) {
                sums[r][c] += parts[r * MATMUL_QUADS + c / 4][c % 4];
            }
        }
    }
    size_t n_columns = job->n - i_column < MATMUL_COLUMNS ? job->n - i_column : MATMUL_COLUMNS;
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t c = 0; c < n_columns; c++) {
            float value = sums[r][c];
            if (job->bias != NULL) {
                value += job->bias[i_column + c];
            }
            value = activation_scalar(job->activation, value);
            if (job->residual != NULL) {
                value += job->residual[(i_row + r) * job->residual_stride + i_column + c];
            }
            job->y[(i_row + r) * job->y_stride + i_column + c] = value;
        }
    }
}

/* The number of rows is a constant in each call, so that the sums of a tile can be vectors. */
static inline __attribute__((always_inline)) void matmul_scalar(const pml_matmul *job, matmul_line_fn *read_line) {
    for (size_t i_column = 0; i_column < job->n; i_column += MATMUL_COLUMNS) {
        size_t i_row = 0;
        for (; job->m - i_row >= MATMUL_ROWS; i_row += MATMUL_ROWS) {
            matmul_scalar_tile(job, i_row, MATMUL_ROWS, i_column, read_line);
        }
        for (; i_row < job->m; i_row++) {
            matmul_scalar_tile(job, i_row, 1, i_column, read_line);
        }
    }
}

#endif
