/* The scalar product, once for all weight layouts and dtypes: a file that includes it says how 16 weights are read. */
#ifndef PML_RUNTIME_KERNELS_MATMUL_SCALAR_H
#define PML_RUNTIME_KERNELS_MATMUL_SCALAR_H

#include "runtime/kernels/activation_scalar.h"

enum { MATMUL_COLUMNS = 16, MATMUL_ROWS = 4 };

/* Reads W[i_depth][i_column .. i_column + 15] into `line`; columns past n give 0. i_column is a multiple of 16. */
typedef void matmul_line_fn(const pml_matmul *job, size_t i_depth, size_t i_column, float line[MATMUL_COLUMNS]);

/* Up to 4 rows by up to 16 columns of y. */
static inline __attribute__((always_inline)) void matmul_scalar_tile(const pml_matmul *job, size_t i_row, size_t n_rows,
                                                                     size_t i_column, matmul_line_fn *read_line) {
    float sums[MATMUL_ROWS][MATMUL_COLUMNS] = {{0}};
    for (size_t first = 0; first < job->k; first += PML_MATMUL_DEPTH) {
        size_t last = job->k - first > PML_MATMUL_DEPTH ? first + PML_MATMUL_DEPTH : job->k;
        float parts[MATMUL_ROWS][MATMUL_COLUMNS] = {{0}};
        for (size_t i = first; i < last; i++) {
            float line[MATMUL_COLUMNS];
            read_line(job, i, i_column, line);
            for (size_t r = 0; r < n_rows; r++) {
                float x = job->x[(i_row + r) * job->x_stride + i];
                for (size_t c = 0; c < MATMUL_COLUMNS; c++) {
                    parts[r][c] += x * line[c];
                }
            }
        }
        for (size_t r = 0; r < n_rows; r++) {
            for (size_t c = 0; c < MATMUL_COLUMNS; c++) {
                sums[r][c] += parts[r][c];
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

static inline __attribute__((always_inline)) void matmul_scalar(const pml_matmul *job, matmul_line_fn *read_line) {
    for (size_t i_column = 0; i_column < job->n; i_column += MATMUL_COLUMNS) {
        for (size_t i_row = 0; i_row < job->m; i_row += MATMUL_ROWS) {
            size_t n_rows = job->m - i_row < MATMUL_ROWS ? job->m - i_row : MATMUL_ROWS;
            matmul_scalar_tile(job, i_row, n_rows, i_column, read_line);
        }
    }
}

#endif
