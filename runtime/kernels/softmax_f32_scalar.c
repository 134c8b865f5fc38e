/* Softmax by row: the plain twin that the others are tested against. */
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/softmax_scalar.h"

void pml_softmax_f32_scalar(const pml_softmax *job) {
    for (size_t r = 0; r < job->n_rows; r++) {
        softmax_scalar(job->x + r * job->x_stride, job->n_columns);
    }
}
