/* Product with an FP32 row matrix: the plain twin that the others are tested against. */
#include "runtime/kernels/matmul_scalar.h"

static inline void read_line(const pml_matmul *job, size_t i_depth, size_t i_column, float line[MATMUL_COLUMNS]) {
    const float *stored = (const float *)job->w + i_depth * job->n + i_column;
    size_t n_columns = job->n - i_column;
    for (size_t c = 0; c < MATMUL_COLUMNS; c++) {
        line[c] = c < n_columns ? stored[c] : 0.0f;
    }
}

void pml_matmul_row_f32_scalar(const pml_matmul *job) {
    matmul_scalar(job, read_line);
}
