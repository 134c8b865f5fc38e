/* Product with a BF16 panel matrix, weights widened: the plain twin that the others are tested against. */
#include "runtime/base/dtype.h"
#include "runtime/kernels/matmul_scalar.h"

/* A 64-byte line holds two depth rows of 16 columns, a column's two values side by side. */
static inline void read_line(const pml_matmul *job, size_t i_depth, size_t i_column, float line[MATMUL_COLUMNS]) {
    size_t padded_depth = job->k + job->k % 2;
    const uint16_t *stored =
        (const uint16_t *)job->w + i_column * padded_depth + i_depth / 2 * 2 * MATMUL_COLUMNS + i_depth % 2;
    for (size_t c = 0; c < MATMUL_COLUMNS; c++) {
        line[c] = pml_f32_from_bf16(stored[2 * c]);
    }
}

void pml_matmul_panel_bf16_scalar(const pml_matmul *job) {
    matmul_scalar(job, read_line);
}
