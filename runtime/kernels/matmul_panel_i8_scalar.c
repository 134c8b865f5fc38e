/* Quantized rows by an I8 panel matrix, one scale per row and per column: the plain twin. */
#include "runtime/kernels/matmul_i8_scalar.h"

void pml_matmul_panel_i8_scalar(const pml_matmul_i8 *job) {
    const size_t n_lines = (job->k + I8_DEPTH - 1) / I8_DEPTH;
    for (size_t i_column = 0; i_column < job->n; i_column += I8_COLUMNS) {
        const int8_t *panel = job->w + i_column / I8_COLUMNS * n_lines * I8_LINE;
        const float *w_scales = (const float *)job->w_scales + i_column;
        for (size_t r = 0; r < job->m; r++) {
            int32_t sums[I8_COLUMNS];
            float totals[I8_COLUMNS], factors[I8_COLUMNS];
            sum_lines(job->x + r * job->x_stride, panel, n_lines, sums);
            for (size_t c = 0; c < I8_COLUMNS; c++) {
                totals[c] = (float)sums[c];
                factors[c] = job->x_scales[r] * w_scales[c];
            }
            finish_row(job, r, i_column, totals, factors);
        }
    }
}
