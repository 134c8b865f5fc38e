/* Gradients of attention of one head on vectors; include after simd_<isa>.h.
 *
 * Queries go in blocks, whose weights and what arrives at them lie in scratch [rows][padded], zeros past the keys that
 * a query sees. What a head of few columns adds up runs over panels of 16 keys, [depth][16], as in attention_simd.h;
 * what one of many columns adds up runs along its columns. */
#ifndef PML_RUNTIME_KERNELS_ATTENTION_GRADIENT_SIMD_H
#define PML_RUNTIME_KERNELS_ATTENTION_GRADIENT_SIMD_H

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

static inline float gradient_dot(const float *a, const float *b, size_t n) {
    vec group[VEC_GROUP];
    for (size_t g = 0; g < VEC_GROUP; g++) {
        group[g] = vec_set(0.0f);
    }
    for (size_t i = 0; i < n; i += PANEL_KEYS) {
        for (size_t g = 0; g < VEC_GROUP; g++) {
            group[g] = vec_fma(vec_load(a + i + g * VEC_LANES), vec_load(b + i + g * VEC_LANES), group[g]);
        }
    }
    return vec_lanes_sum(group);
}

/* Scores of the block, or copies of those that were handed out, then weights. */
static void gradient_weights(const gradient_block *block) {
    const pml_attention_gradient *job = block->job;
    pml_attention of = job->of;
    const size_t n = of.n_keys;
    of.scores_out = NULL;
    of.dropout = NULL;
    for (size_t r = 0; r < block->n_rows; r++) {
        const size_t t = block->first + r, n_seen = keys_seen(&of, t);
        float *weights = block->weights + r * block->padded;
        if (job->scores != NULL) {
            memcpy(weights, job->scores + t * n, n_seen * sizeof *weights);
            softmax_simd(weights, n_seen);
        } else if (block->n_rows - r >= ATTENTION_ROWS) {
            raw_scores(&of, block->keys, t, ATTENTION_ROWS, keys_seen(&of, t + ATTENTION_ROWS - 1), weights,
                       block->padded);
            for (size_t i = 0; i < ATTENTION_ROWS; i++) {
                finish_scores(&of, t + i, weights + i * block->padded);
            }
            r += ATTENTION_ROWS - 1;
        } else {
            raw_scores(&of, block->keys, t, 1, n_seen, weights, block->padded);
            finish_scores(&of, t, weights);
        }
    }
    for (size_t r = 0; r < block->n_rows; r++) {
        const size_t n_seen = keys_seen(&of, block->first + r);
        memset(block->weights + r * block->padded + n_seen, 0, (block->padded - n_seen) * sizeof *block->weights);
    }
}

/* dy . v^T. */
static void gradient_of_weights(const gradient_block *block) {
    const pml_attention_gradient *job = block->job;
    pml_attention as = job->of;
    as.q = job->dy;
    as.q_stride = job->dy_stride;
    as.scale = 1.0f;
    size_t r = 0;
    for (; block->n_rows - r >= ATTENTION_ROWS; r += ATTENTION_ROWS) {
        raw_scores(&as, block->values, block->first + r, ATTENTION_ROWS, as.n_keys, block->dweights + r * block->padded,
                   block->padded);
    }
    for (; r < block->n_rows; r++) {
        raw_scores(&as, block->values, block->first + r, 1, as.n_keys, block->dweights + r * block->padded,
                   block->padded);
    }
}

/* dweights becomes dscores, and weights what values were multiplied by. */
static void gradient_of_scores(const gradient_block *block, size_t r) {
    const pml_attention_gradient *job = block->job;
    const pml_attention *of = &job->of;
    const size_t t = block->first + r, n = of->n_keys, n_seen = keys_seen(of, t);
    const uint64_t element = of->dropout_first + t * of->dropout_stride;
    float *weights = block->weights + r * block->padded, *dweights = block->dweights + r * block->padded;
    memset(dweights + n_seen, 0, (block->padded - n_seen) * sizeof *dweights);
    if (of->dropout != NULL) {
        dropout_row(of->dropout, element, n_seen, dweights);
    }
    const vec sum = vec_set(gradient_dot(weights, dweights, block->padded));
    for (size_t s = 0; s < block->padded; s += VEC_LANES) {
        vec_store(dweights + s, vec_mul(vec_load(weights + s), vec_sub(vec_load(dweights + s), sum)));
    }
    if (job->dscores_out != NULL) {
        const float *more = job->dscores_out + t * n;
        for (size_t s = 0; s < n_seen; s++) {
            dweights[s] += more[s];
        }
    }
    if (job->dscores_in != NULL) {
        float *to = job->dscores_in + t * n;
        for (size_t s = 0; s < n_seen; s++) {
            to[s] += dweights[s];
        }
    }
    if (of->dropout != NULL) {
        dropout_row(of->dropout, element, n_seen, weights);
    }
}

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

static inline void attention_gradient_simd(const pml_attention_gradient *job) {
    const size_t padded = (job->of.n_keys + PANEL_KEYS - 1) / PANEL_KEYS * PANEL_KEYS;
    float *keys = job->work, *values = keys + padded * job->of.depth, *weights = values + padded * job->of.depth;
    pml_attention as = job->of;
    pack_keys(&as, keys);
    as.k = as.v;
    as.k_stride = as.v_stride;
    pack_keys(&as, values);
    for (size_t first = 0; first < job->of.n_queries; first += PML_ATTENTION_GRADIENT_ROWS) {
        const size_t left = job->of.n_queries - first;
        const gradient_block block = {
            .job = job,
            .keys = keys,
            .values = values,
            .weights = weights,
            .dweights = weights + padded * PML_ATTENTION_GRADIENT_ROWS,
            .padded = padded,
            .first = first,
            .n_rows = left < PML_ATTENTION_GRADIENT_ROWS ? left : PML_ATTENTION_GRADIENT_ROWS,
        };
        gradient_weights(&block);
        gradient_of_weights(&block);
        for (size_t r = 0; r < block.n_rows; r++) {
            gradient_of_scores(&block, r);
        }
        if (job->of.depth < VEC_LANES) {
            gradient_along_keys(&block);
        } else {
            gradient_along_columns(&block);
        }
    }
}

#endif
