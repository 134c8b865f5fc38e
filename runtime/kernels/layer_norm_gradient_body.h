/* Gradients of layer normalisation in plain C, compiled once per instruction set, as layer_norm_body.h is. */
#ifndef PML_RUNTIME_KERNELS_LAYER_NORM_GRADIENT_BODY_H
#define PML_RUNTIME_KERNELS_LAYER_NORM_GRADIENT_BODY_H

#include "runtime/kernels/layer_norm_body.h"

/* A row on its way: x' is (x - mean) * scale. */
typedef struct norm_row {
    const float *x, *dy, *weight;
    size_t n;
    double mean;
    float scale;
} norm_row;

static inline float norm_distance(const norm_row *row, size_t c) {
    return (float)((double)row->x[c] - row->mean);
}

static inline float norm_gradient_of(const norm_row *row, size_t c) {
    return row->weight != NULL ? row->dy[c] * row->weight[c] : row->dy[c];
}

/* The means of g and of g x'. */
static inline void norm_gradient_means(const norm_row *row, double *mean_g, double *mean_gx) {
    double sums[NORM_LANES] = {0}, products[NORM_LANES] = {0};
    size_t c = 0;
    for (; row->n - c >= NORM_LANES; c += NORM_LANES) {
        for (size_t i = 0; i < NORM_LANES; i++) {
            const float g = norm_gradient_of(row, c + i);
            sums[i] += (double)g;
            products[i] += (double)(g * norm_distance(row, c + i));
        }
    }
    for (size_t i = 0; c + i < row->n; i++) {
        const float g = norm_gradient_of(row, c + i);
        sums[i] += (double)g;
        products[i] += (double)(g * norm_distance(row, c + i));
    }
    *mean_g = norm_lanes_sum(sums) / (double)row->n;
    *mean_gx = norm_lanes_sum(products) * (double)row->scale / (double)row->n;
}

static inline void norm_gradient_row(const norm_row *row, float *dx, bool adds) {
    double mean_g, mean_gx;
    norm_gradient_means(row, &mean_g, &mean_gx);
    const float scale = row->scale, shift = (float)mean_g, factor = (float)mean_gx * scale;
    if (adds) {
        for (size_t c = 0; c < row->n; c++) {
            dx[c] += scale * (norm_gradient_of(row, c) - shift - norm_distance(row, c) * factor);
        }
    } else {
        for (size_t c = 0; c < row->n; c++) {
            dx[c] = scale * (norm_gradient_of(row, c) - shift - norm_distance(row, c) * factor);
        }
    }
}

static inline void layer_norm_gradient_body(const pml_layer_norm_gradient *job) {
    const size_t n = job->n_columns;
    for (size_t r = 0; r < job->n_rows; r++) {
        norm_row row = {.x = job->x + r * n, .dy = job->dy + r * n, .weight = job->weight, .n = n};
        const double mean = norm_sum(row.x, n) / (double)n;
        row.mean = mean;
        row.scale = (float)(1.0 / sqrt(norm_squares(row.x, n, mean) / (double)n + job->eps));
        if (job->dx != NULL) {
            norm_gradient_row(&row, job->dx + r * n, job->adds);
        }
        for (size_t c = 0; job->dweight != NULL && c < n; c++) {
            job->dweight[c] += (double)(row.dy[c] * (norm_distance(&row, c) * row.scale));
        }
        for (size_t c = 0; job->dbias != NULL && c < n; c++) {
            job->dbias[c] += (double)row.dy[c];
        }
    }
}

#endif
