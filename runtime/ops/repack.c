#include "runtime/ops/repack.h"

#include <string.h>

#include "runtime/base/dtype.h"

#define COLUMNS PML_PANEL_COLUMNS

size_t pml_repack_count(size_t depth, size_t n_columns) {
    return (n_columns + COLUMNS - 1) / COLUMNS * COLUMNS * depth;
}

void pml_repack_rows(const float *x, size_t depth, size_t n_columns, size_t stride, float *panels) {
    for (size_t c = 0; c < n_columns; c += COLUMNS, panels += depth * COLUMNS) {
        const size_t n = n_columns - c < COLUMNS ? n_columns - c : COLUMNS;
        for (size_t i = 0; i < depth; i++) {
            float *to = panels + i * COLUMNS;
            const float *from = x + i * stride + c;
            if (n == COLUMNS) {
                memcpy(to, from, COLUMNS * sizeof *to);
            } else {
                memcpy(to, from, n * sizeof *to);
                memset(to + n, 0, (COLUMNS - n) * sizeof *to);
            }
        }
    }
}

void pml_repack_rows_bf16(const float *x, size_t depth, size_t n_columns, size_t stride, uint16_t *panels) {
    for (size_t c = 0; c < n_columns; c += COLUMNS) {
        const size_t n = n_columns - c < COLUMNS ? n_columns - c : COLUMNS;
        for (size_t i = 0; i < depth; i += 2, panels += 2 * COLUMNS) {
            memset(panels, 0, 2 * COLUMNS * sizeof *panels);
            for (size_t k = 0; k < 2 && i + k < depth; k++) {
                for (size_t j = 0; j < n; j++) {
                    panels[2 * j + k] = pml_bf16_from_f32(x[(i + k) * stride + c + j]);
                }
            }
        }
    }
}

void pml_repack_transpose(const float *x, size_t m, size_t n, size_t stride, float *y) {
    for (size_t i = 0; i < m; i += COLUMNS) { /* tiles keep both sides within a few cache lines */
        const size_t n_rows = m - i < COLUMNS ? m - i : COLUMNS;
        for (size_t k = 0; k < n; k++) {
            for (size_t r = 0; r < n_rows; r++) {
                y[k * m + i + r] = x[(i + r) * stride + k];
            }
        }
    }
}

/* 16 values of row `i_row`, columns c .. c + 15, of a stored matrix [n_in][n_out], n of which exist. */
static void read_values(const pml_tensor *w, size_t i_matrix, size_t i_row, size_t c, size_t n, float *values) {
    const size_t n_in = w->shape[w->rank - 2], n_out = w->shape[w->rank - 1];
    const char *matrix = pml_tensor_matrix(w, i_matrix);
    if (w->layout == PML_LAYOUT_ROW) {
        for (size_t k = 0; k < n; k++) {
            const size_t at = i_row * n_out + c + k;
            values[k] = w->dtype == PML_DTYPE_F32 ? ((const float *)(const void *)matrix)[at]
                                                  : pml_f32_from_bf16(((const uint16_t *)(const void *)matrix)[at]);
        }
        return;
    }
    const size_t depth = pml_panel_depth(w->dtype), n_lines = (n_in + depth - 1) / depth;
    const size_t line = (c / COLUMNS * n_lines + i_row / depth) * COLUMNS * depth + i_row % depth;
    if (w->dtype == PML_DTYPE_F32) {
        memcpy(values, (const float *)(const void *)matrix + line, n * sizeof *values);
    } else if (w->dtype == PML_DTYPE_BF16) {
        for (size_t k = 0; k < n; k++) {
            values[k] = pml_f32_from_bf16(((const uint16_t *)(const void *)matrix)[line + k * depth]);
        }
    } else {
        const pml_quantization q = pml_tensor_quantization(w, i_matrix);
        const size_t n_groups = pml_tensor_n_groups(w), group = q.group_rows == 0 ? 0 : i_row / q.group_rows;
        const size_t scale = (c / COLUMNS * n_groups + group) * COLUMNS;
        for (size_t k = 0; k < n; k++) {
            const float unit = q.group_rows == 0
                                   ? ((const float *)q.scales)[scale + k]
                                   : pml_f32_from_f16(((const uint16_t *)q.scales)[scale + k]) * q.scale_factor;
            values[k] = (float)((const int8_t *)matrix)[line + k * depth] * unit;
        }
    }
}

void pml_repack_weight(const pml_tensor *w, size_t i_matrix, float *y) {
    const size_t n_in = w->shape[w->rank - 2], n_out = w->shape[w->rank - 1];
    for (size_t c = 0; c < n_out; c += COLUMNS) {
        const size_t n = n_out - c < COLUMNS ? n_out - c : COLUMNS;
        for (size_t i = 0; i < n_in; i++) {
            read_values(w, i_matrix, i, c, n, y + i * n_out + c);
        }
    }
}

void pml_repack_weight_transposed(const pml_tensor *w, size_t i_matrix, size_t first, size_t n_rows, float *panels) {
    const size_t n_out = w->shape[w->rank - 1];
    float block[COLUMNS][COLUMNS]; /* [row][column] */
    for (size_t i = 0; i < n_rows; i += COLUMNS, panels += n_out * COLUMNS) {
        const size_t m = n_rows - i < COLUMNS ? n_rows - i : COLUMNS;
        memset(block, 0, sizeof block);
        for (size_t c = 0; c < n_out; c += COLUMNS) {
            const size_t n = n_out - c < COLUMNS ? n_out - c : COLUMNS;
            for (size_t r = 0; r < m; r++) {
                read_values(w, i_matrix, first + i + r, c, n, block[r]);
            }
            float *to = panels + c * COLUMNS;
            for (size_t k = 0; k < n; k++) {
                for (size_t r = 0; r < COLUMNS; r++) {
                    to[k * COLUMNS + r] = block[r][k];
                }
            }
        }
    }
}
