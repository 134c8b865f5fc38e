/* Gradients of attention of one head on vectors; include after simd_<isa>.h.
 *
 * Queries go in blocks, whose weights and what arrives at them lie in scratch [rows][padded], zeros past the keys that
 * a query sees. What a head of few columns adds up runs over panels of 16 keys, [depth][16], as in attention_simd.h;
 * what one of many columns adds up runs along its columns. */
#ifndef PML_RUNTIME_KERNELS_ATTENTION_GRADIENT_SIMD_H
#define PML_RUNTIME_KERNELS_ATTENTION_GRADIENT_SIMD_H

#include "runtime/kernels/attention_gradient_sums.h"

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
