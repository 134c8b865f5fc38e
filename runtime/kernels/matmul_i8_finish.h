/* What becomes of the sums of a tile of an I8 product: a part of matmul_i8_simd.h. */
#ifndef PML_RUNTIME_KERNELS_MATMUL_I8_FINISH_H
#define PML_RUNTIME_KERNELS_MATMUL_I8_FINISH_H

#include <string.h>

#include "runtime/kernels/activation_simd.h"
#include "runtime/kernels/simd_unroll.h"

enum { I8_COLUMNS = 16, I8_DEPTH = 4, I8_LINE = I8_COLUMNS * I8_DEPTH, I8_VECS = I8_COLUMNS / VEC_LANES };

VEC_INLINE vec load_columns(const float *p, size_t n_left) {
    return n_left < VEC_LANES ? vec_load_part(p, n_left) : vec_load(p);
}

/* Scales (without groups), bias, activation and residual of a tile's columns from `column` on, as many as a vector has,
 * then y. `tile` holds I32 sums or F32 totals, `step` of them from row to row. */
VEC_INLINE void finish_columns(const pml_matmul_i8 *job, size_t i_row, size_t n_rows, size_t column, size_t step,
                               const void *tile, pml_activation activation) {
    const size_t n_left = job->n - column;
    const vec bias = job->bias != NULL ? load_columns(job->bias + column, n_left) : vec_set(0.0f);
#if I8_IS_GROUPED
    const vec factor = vec_set(job->scale_factor);
#else
    const vec w_scale = vec_load((const float *)job->w_scales + column);
#endif
    for (size_t r = 0; r < n_rows; r++) {
#if I8_IS_GROUPED
        vec value = vec_fma(vec_load((const float *)tile + r * step), factor, bias);
#else
        const vec factor = vec_mul(vec_set(job->x_scales[i_row + r]), w_scale);
        vec value = vec_fma(ivec_to_vec(ivec_load((const int32_t *)tile + r * step)), factor, bias);
#endif
        value = vec_activate(activation, value);
        if (job->residual != NULL) {
            value = vec_add(value, load_columns(job->residual + (i_row + r) * job->residual_stride + column, n_left));
        }
        float *y = job->y + (i_row + r) * job->y_stride + column;
        if (n_left < VEC_LANES) {
            vec_store_part(y, value, n_left);
        } else {
            vec_store(y, value);
        }
    }
}

/* A whole tile [n_rows][n_panels * 16]. */
static __attribute__((noinline)) void finish_tile(const pml_matmul_i8 *job, size_t i_row, size_t n_rows,
                                                  size_t i_column, size_t n_panels, const void *tile) {
    const size_t step = n_panels * I8_COLUMNS;
    for (size_t c = 0; c < step && i_column + c < job->n; c += VEC_LANES) {
        const void *sums = (const char *)tile + c * sizeof(float);
        /* What a case knows about the job leaves its loop over rows. */
        if (job->residual != NULL || job->n - i_column - c < VEC_LANES) {
            finish_columns(job, i_row, n_rows, i_column + c, step, sums, job->activation);
        } else if (job->activation == PML_ACTIVATION_IDENTITY) {
            finish_columns(job, i_row, n_rows, i_column + c, step, sums, PML_ACTIVATION_IDENTITY);
        } else if (job->activation == PML_ACTIVATION_GELU) {
            finish_columns(job, i_row, n_rows, i_column + c, step, sums, PML_ACTIVATION_GELU);
        } else if (job->activation == PML_ACTIVATION_GELU_TANH) {
            finish_columns(job, i_row, n_rows, i_column + c, step, sums, PML_ACTIVATION_GELU_TANH);
        } else {
            finish_columns(job, i_row, n_rows, i_column + c, step, sums, job->activation);
        }
    }
}

#endif
