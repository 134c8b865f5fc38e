/* Softmax by row: NEON. */
#include "runtime/kernels/simd_neon.h"

#include "runtime/kernels/softmax_simd.h"

void pml_softmax_f32_neon(const pml_softmax *job) {
    for (size_t r = 0; r < job->n_rows; r++) {
        softmax_simd(job->x + r * job->x_stride, job->n_columns);
    }
}
