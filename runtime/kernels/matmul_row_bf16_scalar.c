/* Product with a BF16 row matrix, weights widened: the plain twin that the others are tested against. */
#include "runtime/base/dtype.h"
#include "runtime/kernels/matmul_scalar.h"

static inline void read_line(const pml_matmul *job, size_t i_depth, size_t i_column, float line[MATMUL_COLUMNS]) {
    const uint16_t *stored = (const uint16_t *)job->w + i_depth * job->n + i_column;
    size_t n_columns = job->n - i_column;
    for (size_t c = 0; c < MATMUL_COLUMNS; c++) {
        line[c] = c < n_columns ? pml_f32_from_bf16(stored[c]) : 0.0f;
    }
}

void pml_matmul_row_bf16_scalar(const pml_matmul *job) {
    matmul_scalar(job, read_line);
}
