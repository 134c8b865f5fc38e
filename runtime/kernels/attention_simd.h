/* Attention of one head on vectors; include after simd_<isa>.h.
 *
 * Keys that are not in panels of 16 yet are first turned into those ([depth][16], zeros past the last key), so that the
 * scores of a query against 16 keys are one chain of multiply-adds. Queries go in blocks, which share the loads of keys
 * and values; what is computed for a query does not depend on its block. */
#ifndef PML_RUNTIME_KERNELS_ATTENTION_SIMD_H
#define PML_RUNTIME_KERNELS_ATTENTION_SIMD_H

#include <string.h>

#include "runtime/kernels/simd_unroll.h"
#include "runtime/kernels/softmax_simd.h"

enum { ATTENTION_ROWS = 4, PANEL_KEYS = 16 };

static void pack_keys(const pml_attention *job, float *panels) {
    for (size_t first = 0; first < job->n_keys; first += PANEL_KEYS) {
        size_t n = job->n_keys - first < PANEL_KEYS ? job->n_keys - first : PANEL_KEYS;
        float *panel = panels + first * job->depth;
        for (size_t s = 0; s < PANEL_KEYS; s++) {
            const float *k = job->k + (first + (s < n ? s : 0)) * job->k_stride;
            for (size_t i = 0; i < job->depth; i++) {
                panel[i * PANEL_KEYS + s] = s < n ? k[i] : 0.0f;
            }
        }
    }
}

/* scores [n_rows][padded] = scale * q . k^T for queries t .. t + n_rows - 1. */
VEC_INLINE void raw_scores(const pml_attention *job, const float *panels, size_t t, size_t n_rows, float *scores,
                           size_t padded) {
    const vec scale = vec_set(job->scale);
    const float *q = job->q + t * job->q_stride;
    for (size_t first = 0; first < padded; first += PANEL_KEYS) {
        const float *panel = panels + first * job->depth;
        vec sums[ATTENTION_ROWS * VEC_GROUP];
        VEC_UNROLL
        for (size_t s = 0; s < n_rows * VEC_GROUP; s++) {
            sums[s] = vec_set(0.0f);
        }
        for (size_t i = 0; i < job->depth; i++) {
            VEC_UNROLL
            for (size_t r = 0; r < n_rows; r++) {
                const vec factor = vec_set(q[r * job->q_stride + i]);
                VEC_UNROLL
                for (size_t g = 0; g < VEC_GROUP; g++) {
                    vec k = vec_load(panel + i * PANEL_KEYS + g * VEC_LANES);
                    sums[r * VEC_GROUP + g] = vec_fma(factor, k, sums[r * VEC_GROUP + g]);
                }
            }
        }
        VEC_UNROLL
        for (size_t r = 0; r < n_rows; r++) {
            VEC_UNROLL
            for (size_t g = 0; g < VEC_GROUP; g++) {
                vec_store(scores + r * padded + first + g * VEC_LANES, vec_mul(scale, sums[r * VEC_GROUP + g]));
            }
        }
    }
}

/* Adds what the job wants added to the scores of query t, hands them out, and turns them into weights. */
static void finish_scores(const pml_attention *job, size_t t, float *scores) {
    const size_t n = job->n_keys;
    if (job->scores_in != NULL) {
        const float *before = job->scores_in + t * n;
        for (size_t s = 0; s < n; s++) {
            scores[s] += before[s];
        }
    }
    if (job->mask != NULL) {
        const float *mask = job->mask + t * job->mask_stride;
        for (size_t s = 0; s < n; s++) {
            scores[s] += mask[s];
        }
    }
    if (job->causal) {
        for (size_t s = n - job->n_queries + t + 1; s < n; s++) {
            scores[s] = -INFINITY;
        }
    }
    if (job->scores_out != NULL) {
        memcpy(job->scores_out + t * n, scores, n * sizeof *scores);
    }
    softmax_simd(scores, n);
}

/* y [n_rows][depth] = weights [n_rows][padded] . v, 16 columns at a time. */
VEC_INLINE void weigh_values(const pml_attention *job, const float *weights, size_t padded, size_t t, size_t n_rows) {
    for (size_t column = 0; column < job->depth; column += VEC_LANES) {
        const size_t n_left = job->depth - column;
        vec sums[ATTENTION_ROWS];
        VEC_UNROLL
        for (size_t r = 0; r < n_rows; r++) {
            sums[r] = vec_set(0.0f);
        }
        for (size_t s = 0; s < job->n_keys; s++) {
            const float *p = job->v + s * job->v_stride + column;
            vec v = n_left < VEC_LANES ? vec_load_part(p, n_left) : vec_load(p);
            VEC_UNROLL
            for (size_t r = 0; r < n_rows; r++) {
                sums[r] = vec_fma(vec_set(weights[r * padded + s]), v, sums[r]);
            }
        }
        VEC_UNROLL
        for (size_t r = 0; r < n_rows; r++) {
            float *y = job->y + (t + r) * job->y_stride + column;
            if (n_left < VEC_LANES) {
                vec_store_part(y, sums[r], n_left);
            } else {
                vec_store(y, sums[r]);
            }
        }
    }
}

VEC_INLINE void attention_block(const pml_attention *job, const float *panels, float *scores, size_t padded, size_t t,
                                size_t n_rows) {
    raw_scores(job, panels, t, n_rows, scores, padded);
    for (size_t r = 0; r < n_rows; r++) {
        finish_scores(job, t + r, scores + r * padded);
    }
    weigh_values(job, scores, padded, t, n_rows);
}

static inline void attention_simd(const pml_attention *job) {
    const size_t padded = (job->n_keys + PANEL_KEYS - 1) / PANEL_KEYS * PANEL_KEYS;
    const float *panels = job->k_panels != NULL ? job->k_panels : job->work;
    float *scores = job->work + padded * job->depth;
    if (job->k_panels == NULL) {
        pack_keys(job, job->work);
    }
    size_t t = 0;
    for (; job->n_queries - t >= ATTENTION_ROWS; t += ATTENTION_ROWS) {
        attention_block(job, panels, scores, padded, t, ATTENTION_ROWS);
    }
    for (; t < job->n_queries; t++) {
        attention_block(job, panels, scores, padded, t, 1);
    }
}

#endif
