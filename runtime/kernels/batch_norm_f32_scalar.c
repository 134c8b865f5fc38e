/* Batch norm with given statistics: the plain twin that the others are tested against. */
#include <math.h>

#include "runtime/kernels/kernels.h"

enum { BLOCK = 64 };

/* The factor of a block of columns is computed once and serves all rows. The mean is subtracted first rather than
 * folded into the bias: the difference is exact where x is near the mean. */
void pml_batch_norm_f32_scalar(const pml_batch_norm *job) {
    for (size_t first = 0; first < job->n_columns; first += BLOCK) {
        size_t n_columns = job->n_columns - first < BLOCK ? job->n_columns - first : BLOCK;
        float scale[BLOCK];
        for (size_t c = 0; c < n_columns; c++) {
            double weight = job->weight != NULL ? (double)job->weight[first + c] : 1.0;
            scale[c] = (float)(weight / sqrt((double)job->variance[first + c] + job->eps));
        }
        for (size_t r = 0; r < job->n_rows; r++) {
            const float *x = job->x + r * job->n_columns + first;
            float *y = job->y + r * job->n_columns + first;
            for (size_t c = 0; c < n_columns; c++) {
                float bias = job->bias != NULL ? job->bias[first + c] : 0.0f;
                y[c] = (x[c] - job->mean[first + c]) * scale[c] + bias;
            }
        }
    }
}
