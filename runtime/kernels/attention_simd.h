/* Attention of one head on vectors; include after simd_<isa>.h.
 *
 * Keys that are not in panels of 16 yet are first turned into those ([depth][16], zeros past the last key), so that the
 * scores of a query against 16 keys are one chain of multiply-adds. Queries go in blocks, which share the loads of keys
 * and values; what is computed for a query does not depend on its block. */
#ifndef PML_RUNTIME_KERNELS_ATTENTION_SIMD_H
#define PML_RUNTIME_KERNELS_ATTENTION_SIMD_H

#include <string.h>

#include "runtime/kernels/dropout_body.h"
#include "runtime/kernels/simd_unroll.h"
#include "runtime/kernels/softmax_simd.h"

/* Chains are sums side by side: at least those of a block of queries and one panel of keys. */
enum { ATTENTION_ROWS = 4, PANEL_KEYS = 16, MAX_CHAINS = VEC_GROUP > 2 ? ATTENTION_ROWS *VEC_GROUP : 8 };

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

/* scores [n_rows][padded] = scale * q . k^T for queries t .. t + n_rows - 1 and the 16 * n_panels keys from `first` on:
 * one chain of multiply-adds per 16 keys, as many side by side as hide each other's latency. */
VEC_INLINE void score_panels(const pml_attention *job, const float *panels, size_t t, size_t n_rows, size_t first,
                             size_t n_panels, float *scores, size_t padded) {
    const vec scale = vec_set(job->scale);
    const float *q = job->q + t * job->q_stride, *panel = panels + first * job->depth;
    const size_t n_vecs = n_panels * VEC_GROUP;
    vec sums[MAX_CHAINS];
    VEC_UNROLL
    for (size_t s = 0; s < n_rows * n_vecs; s++) {
        sums[s] = vec_set(0.0f);
    }
    for (size_t i = 0; i < job->depth; i++) {
        VEC_UNROLL
        for (size_t r = 0; r < n_rows; r++) {
            const vec factor = vec_set(q[r * job->q_stride + i]);
            VEC_UNROLL
            for (size_t v = 0; v < n_vecs; v++) {
                const float *k = panel + (v / VEC_GROUP * job->depth + i) * PANEL_KEYS + v % VEC_GROUP * VEC_LANES;
                sums[r * n_vecs + v] = vec_fma(factor, vec_load(k), sums[r * n_vecs + v]);
            }
        }
    }
    VEC_UNROLL
    for (size_t r = 0; r < n_rows; r++) {
        VEC_UNROLL
        for (size_t v = 0; v < n_vecs; v++) {
            vec_store(scores + r * padded + first + v * VEC_LANES, vec_mul(scale, sums[r * n_vecs + v]));
        }
    }
}

/* The same for the first `n_seen` keys. */
VEC_INLINE void raw_scores(const pml_attention *job, const float *panels, size_t t, size_t n_rows, size_t n_seen,
                           float *scores, size_t padded) {
    const size_t n_panels = MAX_CHAINS / VEC_GROUP / n_rows;
    size_t first = 0;
    for (; first + n_panels * PANEL_KEYS <= n_seen; first += n_panels * PANEL_KEYS) {
        score_panels(job, panels, t, n_rows, first, n_panels, scores, padded);
    }
    for (; n_panels >= 8 && first + 2 * PANEL_KEYS <= n_seen; first += 2 * PANEL_KEYS) {
        score_panels(job, panels, t, n_rows, first, 2, scores, padded);
    }
    for (; first < n_seen; first += PANEL_KEYS) {
        score_panels(job, panels, t, n_rows, first, 1, scores, padded);
    }
}

/* How many keys query t sees. */
static inline size_t keys_seen(const pml_attention *job, size_t t) {
    return job->causal ? job->n_keys - job->n_queries + t + 1 : job->n_keys;
}

/* Adds what the job wants added to the scores of query t, hands them out, and turns those of the keys that it sees into
 * weights. */
static void finish_scores(const pml_attention *job, size_t t, float *scores) {
    const size_t n = job->n_keys, n_seen = keys_seen(job, t);
    if (job->scores_in != NULL) {
        const float *before = job->scores_in + t * n;
        for (size_t s = 0; s < n_seen; s++) {
            scores[s] += before[s];
        }
    }
    if (job->mask != NULL) {
        const float *mask = job->mask + t * job->mask_stride;
        for (size_t s = 0; s < n_seen; s++) {
            scores[s] += mask[s];
        }
    }
    if (job->scores_out != NULL) {
        memcpy(job->scores_out + t * n, scores, n_seen * sizeof *scores);
        for (size_t s = n_seen; s < n; s++) {
            job->scores_out[t * n + s] = -INFINITY;
        }
    }
    softmax_simd(scores, n_seen);
    if (job->dropout != NULL) {
        dropout_row(job->dropout, job->dropout_first + t * job->dropout_stride, n_seen, scores);
    }
}

/* y [n_rows][n_columns] = weights [n_rows][padded] . v for the columns from `column` on, in vectors, the last one of
 * n_last columns. Keys that all rows see come first; a causal block's later rows then see one more each. */
VEC_INLINE void weigh_columns(const pml_attention *job, const float *weights, size_t padded, size_t t, size_t n_rows,
                              size_t column, size_t n_vecs, size_t n_last) {
    const size_t n_common = keys_seen(job, t);
    vec sums[MAX_CHAINS];
    VEC_UNROLL
    for (size_t s = 0; s < n_rows * n_vecs; s++) {
        sums[s] = vec_set(0.0f);
    }
    for (size_t s = 0; s < n_common; s++) {
        VEC_UNROLL
        for (size_t c = 0; c < n_vecs; c++) {
            const float *p = job->v + s * job->v_stride + column + c * VEC_LANES;
            const vec v = n_last < VEC_LANES ? vec_load_part(p, n_last) : vec_load(p);
            VEC_UNROLL
            for (size_t r = 0; r < n_rows; r++) {
                sums[r * n_vecs + c] = vec_fma(vec_set(weights[r * padded + s]), v, sums[r * n_vecs + c]);
            }
        }
    }
    VEC_UNROLL
    for (size_t r = 1; r < n_rows; r++) {
        for (size_t s = n_common; s < keys_seen(job, t + r); s++) {
            VEC_UNROLL
            for (size_t c = 0; c < n_vecs; c++) {
                const float *p = job->v + s * job->v_stride + column + c * VEC_LANES;
                const vec v = n_last < VEC_LANES ? vec_load_part(p, n_last) : vec_load(p);
                sums[r * n_vecs + c] = vec_fma(vec_set(weights[r * padded + s]), v, sums[r * n_vecs + c]);
            }
        }
    }
    VEC_UNROLL
    for (size_t r = 0; r < n_rows; r++) {
        VEC_UNROLL
        for (size_t c = 0; c < n_vecs; c++) {
            float *y = job->y + (t + r) * job->y_stride + column + c * VEC_LANES;
            if (n_last < VEC_LANES) {
                vec_store_part(y, sums[r * n_vecs + c], n_last);
            } else {
                vec_store(y, sums[r * n_vecs + c]);
            }
        }
    }
}

/* All columns: as many side by side as hide each other's latency. */
VEC_INLINE void weigh_values(const pml_attention *job, const float *weights, size_t padded, size_t t, size_t n_rows) {
    const size_t n_vecs = n_rows == 1 ? MAX_CHAINS / 2 : MAX_CHAINS / n_rows;
    size_t column = 0;
    for (; job->depth - column >= n_vecs * VEC_LANES; column += n_vecs * VEC_LANES) {
        weigh_columns(job, weights, padded, t, n_rows, column, n_vecs, VEC_LANES);
    }
    for (; job->depth - column >= VEC_LANES; column += VEC_LANES) {
        weigh_columns(job, weights, padded, t, n_rows, column, 1, VEC_LANES);
    }
    if (column < job->depth) {
        weigh_columns(job, weights, padded, t, n_rows, column, 1, job->depth - column);
    }
}

VEC_INLINE void attention_block(const pml_attention *job, const float *panels, float *scores, size_t padded, size_t t,
                                size_t n_rows) {
    raw_scores(job, panels, t, n_rows, keys_seen(job, t + n_rows - 1), scores, padded);
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
