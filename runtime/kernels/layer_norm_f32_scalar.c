/* Two passes in double: with eps as small as 1e-12 a variance summed in float would show in the result. */
#include <math.h>

#include "runtime/kernels/kernels.h"

void pml_layer_norm_f32_scalar(const pml_layer_norm *job) {
    double n = (double)job->n_columns;
    for (size_t r = 0; r < job->n_rows; r++) {
        const float *x = job->x + r * job->n_columns;
        float *y = job->y + r * job->n_columns;
        double sum = 0.0;
        for (size_t c = 0; c < job->n_columns; c++) {
            sum += (double)x[c];
        }
        double mean = sum / n;
        double squares = 0.0;
        for (size_t c = 0; c < job->n_columns; c++) {
            double distance = (double)x[c] - mean;
            squares += distance * distance;
        }
        double scale = 1.0 / sqrt(squares / n + job->eps);
        for (size_t c = 0; c < job->n_columns; c++) {
            double weight = job->weight != NULL ? (double)job->weight[c] : 1.0;
            double bias = job->bias != NULL ? (double)job->bias[c] : 0.0;
            y[c] = (float)(((double)x[c] - mean) * scale * weight + bias);
        }
    }
}
