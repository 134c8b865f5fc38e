/* Quantized rows by an I8 panel matrix, one scale per row or column and group of depth rows: the plain twin. */
#include "runtime/kernels/matmul_i8_scalar.h"

void pml_matmul_panel_i8g_scalar(const pml_matmul_i8 *job) {
    const size_t n_lines = (job->k + I8_DEPTH - 1) / I8_DEPTH, group_lines = job->group_rows / I8_DEPTH;
    const size_t n_groups = (job->k + job->group_rows - 1) / job->group_rows;
    for (size_t i_column = 0; i_column < job->n; i_column += I8_COLUMNS) {
        const size_t i_panel = i_column / I8_COLUMNS;
        const int8_t *panel = job->w + i_panel * n_lines * I8_LINE;
        const uint16_t *w_scales = (const uint16_t *)job->w_scales + i_panel * n_groups * I8_COLUMNS;
        for (size_t r = 0; r < job->m; r++) {
            float totals[I8_COLUMNS] = {0}, factors[I8_COLUMNS];
            for (size_t g = 0; g < n_groups; g++) {
                const size_t first = g * group_lines;
                int32_t sums[I8_COLUMNS];
                sum_lines(job->x + r * job->x_stride + first * I8_DEPTH, panel + first * I8_LINE,
                          n_lines - first < group_lines ? n_lines - first : group_lines, sums);
                for (size_t c = 0; c < I8_COLUMNS; c++) {
                    const float scale = pml_f32_from_f16(w_scales[g * I8_COLUMNS + c]);
                    totals[c] = fmaf((float)sums[c], job->x_scales[r * n_groups + g] * scale, totals[c]);
                }
            }
            for (size_t c = 0; c < I8_COLUMNS; c++) {
                factors[c] = job->scale_factor;
            }
            finish_row(job, r, i_column, totals, factors);
        }
    }
}
