/* What a block of queries adds to the gradients of queries, keys and values. In a head of few columns sums run over
 * panels of 16 keys, [depth][16], as in attention_simd.h; in one of many columns they run along these. */
#ifndef PML_RUNTIME_KERNELS_ATTENTION_GRADIENT_SUMS_H
#define PML_RUNTIME_KERNELS_ATTENTION_GRADIENT_SUMS_H

#include "runtime/kernels/attention_simd.h"

/* Sums side by side of what runs over panels: columns, and of what runs along columns: rows and vectors of these. */
enum { GRADIENT_COLUMNS = 8 / VEC_GROUP, GRADIENT_ROWS = 4, GRADIENT_VECS = 2 };

/* A block of queries on its way. */
typedef struct gradient_block {
    const pml_attention_gradient *job;
    const float *keys, *values; /* panels */
    float *weights, *dweights;  /* [rows][padded] */
    size_t padded, first, n_rows;
} gradient_block;

/* ---- many columns ---- */
/* y [n_rows][...] += scale * the sum over i < n of a [i * a_step + row * a_row] * x [i][...], in n_vecs vectors from
 * `column` on, the last of n_last columns. */
typedef struct outer_sums {
    const float *a;
    size_t a_step, a_row, n;
    const float *x;
    size_t x_stride;
    float *y;
    size_t y_stride;
    float scale;
} outer_sums;

VEC_INLINE void add_outer(const outer_sums *job, size_t row, size_t n_rows, size_t column, size_t n_vecs,
                          size_t n_last) {
    const float *a = job->a + row * job->a_row, *x = job->x + column;
    vec sums[GRADIENT_ROWS * GRADIENT_VECS];
    VEC_UNROLL
    for (size_t s = 0; s < n_rows * n_vecs; s++) {
        sums[s] = vec_set(0.0f);
    }
    for (size_t i = 0; i < job->n; i++, a += job->a_step, x += job->x_stride) {
        VEC_UNROLL
        for (size_t v = 0; v < n_vecs; v++) {
            const vec value = n_last < VEC_LANES ? vec_load_part(x, n_last) : vec_load(x + v * VEC_LANES);
            VEC_UNROLL
            for (size_t r = 0; r < n_rows; r++) {
                sums[r * n_vecs + v] = vec_fma(vec_set(a[r * job->a_row]), value, sums[r * n_vecs + v]);
            }
        }
    }
    VEC_UNROLL
    for (size_t r = 0; r < n_rows; r++) {
        VEC_UNROLL
        for (size_t v = 0; v < n_vecs; v++) {
            float *y = job->y + (row + r) * job->y_stride + column + v * VEC_LANES;
            if (n_last < VEC_LANES) {
                vec_store_part(y, vec_fma(vec_set(job->scale), sums[r * n_vecs + v], vec_load_part(y, n_last)), n_last);
            } else {
                vec_store(y, vec_fma(vec_set(job->scale), sums[r * n_vecs + v], vec_load(y)));
            }
        }
    }
}

VEC_INLINE void add_outer_rows(const outer_sums *job, size_t row, size_t n_rows, size_t n_columns) {
    size_t column = 0;
    for (; n_columns - column >= GRADIENT_VECS * VEC_LANES; column += GRADIENT_VECS * VEC_LANES) {
        add_outer(job, row, n_rows, column, GRADIENT_VECS, VEC_LANES);
    }
    for (; n_columns - column >= VEC_LANES; column += VEC_LANES) {
        add_outer(job, row, n_rows, column, 1, VEC_LANES);
    }
    if (column < n_columns) {
        add_outer(job, row, n_rows, column, 1, n_columns - column);
    }
}

static void add_outer_sums(const outer_sums *job, size_t n_rows, size_t n_columns) {
    size_t row = 0;
    for (; n_rows - row >= GRADIENT_ROWS; row += GRADIENT_ROWS) {
        add_outer_rows(job, row, GRADIENT_ROWS, n_columns);
    }
    for (; row < n_rows; row++) {
        add_outer_rows(job, row, 1, n_columns);
    }
}

static void gradient_along_columns(const gradient_block *block) {
    const pml_attention_gradient *job = block->job;
    const pml_attention *of = &job->of;
    outer_sums sums = {.a = block->weights,
                       .a_step = block->padded,
                       .a_row = 1,
                       .n = block->n_rows,
                       .x = job->dy + block->first * job->dy_stride,
                       .x_stride = job->dy_stride,
                       .y = job->dv,
                       .y_stride = of->v_stride,
                       .scale = 1.0f};
    if (job->dv != NULL) {
        add_outer_sums(&sums, of->n_keys, of->depth);
    }
    sums.a = block->dweights;
    sums.scale = of->scale;
    if (job->dk != NULL) {
        sums.x = of->q + block->first * of->q_stride;
        sums.x_stride = of->q_stride;
        sums.y = job->dk;
        sums.y_stride = of->k_stride;
        add_outer_sums(&sums, of->n_keys, of->depth);
    }
    if (job->dq != NULL) {
        sums.a_step = 1;
        sums.a_row = block->padded;
        sums.n = of->n_keys;
        sums.x = of->k;
        sums.x_stride = of->k_stride;
        sums.y = job->dq + block->first * of->q_stride;
        sums.y_stride = of->q_stride;
        add_outer_sums(&sums, block->n_rows, of->depth);
    }
}

/* ---- few columns ---- */
/* Columns i .. i + n_columns - 1 of rows first .. first + n_keys - 1 of y += scale * weights^T . x, where weights
 * [rows][padded] begin with the panel. */
VEC_INLINE void add_panel(const gradient_block *block, const float *weights, const float *x, size_t x_stride,
                          size_t n_columns, float scale, float *y, size_t y_stride, size_t n_keys) {
    vec sums[8];
    VEC_UNROLL
    for (size_t s = 0; s < n_columns * VEC_GROUP; s++) {
        sums[s] = vec_set(0.0f);
    }
    for (size_t r = 0; r < block->n_rows; r++) {
        VEC_UNROLL
        for (size_t g = 0; g < VEC_GROUP; g++) {
            const vec w = vec_load(weights + r * block->padded + g * VEC_LANES);
            VEC_UNROLL
            for (size_t i = 0; i < n_columns; i++) {
                sums[i * VEC_GROUP + g] = vec_fma(vec_set(x[r * x_stride + i]), w, sums[i * VEC_GROUP + g]);
            }
        }
    }
    float turned[8 / VEC_GROUP][PANEL_KEYS];
    VEC_UNROLL
    for (size_t s = 0; s < n_columns * VEC_GROUP; s++) {
        vec_store(turned[s / VEC_GROUP] + s % VEC_GROUP * VEC_LANES, vec_mul(vec_set(scale), sums[s]));
    }
    for (size_t s = 0; s < n_keys; s++) {
        VEC_UNROLL
        for (size_t i = 0; i < n_columns; i++) {
            y[s * y_stride + i] += turned[i][s];
        }
    }
}

static void add_panels(const gradient_block *block, const float *weights, const float *x, size_t x_stride, float scale,
                       float *y, size_t y_stride) {
    const size_t n_keys = block->job->of.n_keys, depth = block->job->of.depth;
    for (size_t s = 0; s < n_keys; s += PANEL_KEYS) {
        const size_t n = n_keys - s < PANEL_KEYS ? n_keys - s : PANEL_KEYS;
        size_t i = 0;
        for (; depth - i >= GRADIENT_COLUMNS; i += GRADIENT_COLUMNS) {
            add_panel(block, weights + s, x + i, x_stride, GRADIENT_COLUMNS, scale, y + s * y_stride + i, y_stride, n);
        }
        for (; GRADIENT_COLUMNS > 4 && depth - i >= 4; i += 4) {
            add_panel(block, weights + s, x + i, x_stride, 4, scale, y + s * y_stride + i, y_stride, n);
        }
        for (; i < depth; i++) {
            add_panel(block, weights + s, x + i, x_stride, 1, scale, y + s * y_stride + i, y_stride, n);
        }
    }
}

static void gradient_along_keys(const gradient_block *block) {
    const pml_attention_gradient *job = block->job;
    const pml_attention *of = &job->of;
    if (job->dv != NULL) {
        add_panels(block, block->weights, job->dy + block->first * job->dy_stride, job->dy_stride, 1.0f, job->dv,
                   of->v_stride);
    }
    if (job->dk != NULL) {
        add_panels(block, block->dweights, of->q + block->first * of->q_stride, of->q_stride, of->scale, job->dk,
                   of->k_stride);
    }
    for (size_t r = 0; job->dq != NULL && r < block->n_rows; r++) {
        const float *dscores = block->dweights + r * block->padded;
        float *dq = job->dq + (block->first + r) * of->q_stride;
        for (size_t i = 0; i < of->depth; i++) {
            vec group[VEC_GROUP];
            VEC_UNROLL
            for (size_t g = 0; g < VEC_GROUP; g++) {
                group[g] = vec_set(0.0f);
            }
            for (size_t s = 0; s < block->padded; s += PANEL_KEYS) {
                const float *k = block->keys + s * of->depth + i * PANEL_KEYS;
                VEC_UNROLL
                for (size_t g = 0; g < VEC_GROUP; g++) {
                    group[g] = vec_fma(vec_load(dscores + s + g * VEC_LANES), vec_load(k + g * VEC_LANES), group[g]);
                }
            }
            dq[i] += of->scale * vec_lanes_sum(group);
        }
    }
}

#endif
