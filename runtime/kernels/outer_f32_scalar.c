/* Sums of outer products: plain C. */
#include "runtime/kernels/kernels.h"

void pml_outer_f32_scalar(const pml_outer *job) {
    for (size_t i = 0; i < job->n_a; i++) {
        float *y = job->y + i * job->y_stride;
        for (size_t k = 0; k < job->n_b; k++) {
            float sum = 0;
            for (size_t r = 0; r < job->n_rows; r++) {
                sum += job->a[r * job->a_stride + i] * job->b[r * job->b_stride + k];
            }
            y[k] = job->adds ? y[k] + sum : sum;
        }
    }
}
