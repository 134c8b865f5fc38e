/* Product with an FP32 panel matrix: the plain twin that the others are tested against. */
#include <string.h>

#include "runtime/kernels/matmul_scalar.h"

static inline void read_line(const pml_matmul *job, size_t i_depth, size_t i_column, float line[MATMUL_COLUMNS]) {
    memcpy(line, (const float *)job->w + i_column * job->k + i_depth * MATMUL_COLUMNS, MATMUL_COLUMNS * sizeof(float));
}

void pml_matmul_panel_f32_scalar(const pml_matmul *job) {
    matmul_scalar(job, read_line);
}
