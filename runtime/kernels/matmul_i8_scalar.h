/* The scalar product of quantized rows with I8 panels: the plain twin that the others are tested against. */
#ifndef PML_RUNTIME_KERNELS_MATMUL_I8_SCALAR_H
#define PML_RUNTIME_KERNELS_MATMUL_I8_SCALAR_H

#include <string.h>

#include "runtime/base/dtype.h"
#include "runtime/kernels/activation_scalar.h"

enum { I8_COLUMNS = 16, I8_DEPTH = 4, I8_LINE = I8_COLUMNS * I8_DEPTH };

/* Sums of one row's bytes x with n_lines lines of one panel. */
static inline void sum_lines(const uint8_t *x, const int8_t *lines, size_t n_lines, int32_t sums[I8_COLUMNS]) {
    memset(sums, 0, I8_COLUMNS * sizeof *sums);
    for (size_t i = 0; i < n_lines; i++) {
        for (size_t c = 0; c < I8_COLUMNS; c++) {
            int32_t sum = 0;
            for (size_t d = 0; d < I8_DEPTH; d++) {
                sum += ((int32_t)x[I8_DEPTH * i + d] - 128) * (int32_t)lines[I8_LINE * i + I8_DEPTH * c + d];
            }
            sums[c] += sum;
        }
    }
}

/* Bias, activation and residual of 16 values: value = fma(total, factors[c], bias). */
static inline void finish_row(const pml_matmul_i8 *job, size_t i_row, size_t i_column, const float *totals,
                              const float *factors) {
    const size_t n_columns = job->n - i_column < I8_COLUMNS ? job->n - i_column : I8_COLUMNS;
    for (size_t c = 0; c < n_columns; c++) {
        const float bias = job->bias != NULL ? job->bias[i_column + c] : 0.0f;
        float value = activation_scalar(job->activation, fmaf(totals[c], factors[c], bias));
        if (job->residual != NULL) {
            value += job->residual[i_row * job->residual_stride + i_column + c];
        }
        job->y[i_row * job->y_stride + i_column + c] = value;
    }
}

#endif
