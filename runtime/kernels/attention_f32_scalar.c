/* One head of attention: the plain twin that the others are tested against. */
#include <string.h>

#include "runtime/kernels/dropout_body.h"
#include "runtime/kernels/softmax_scalar.h"

static float dot(const float *a, const float *b, size_t b_step, size_t n) {
    float sum = 0.0f;
    for (size_t i = 0; i < n; i++) {
        sum += a[i] * b[i * b_step];
    }
    return sum;
}

enum { PANEL_KEYS = 16 };

/* The scores of query t against every key. */
static void compute_scores(const pml_attention *job, size_t t, float *scores) {
    const float *q = job->q + t * job->q_stride;
    for (size_t s = 0; s < job->n_keys; s++) {
        if (job->causal && s + job->n_queries > job->n_keys + t) {
            scores[s] = -INFINITY;
            continue;
        }
        const bool in_panels = job->k_panels != NULL;
        const float *k = in_panels ? job->k_panels + s / PANEL_KEYS * PANEL_KEYS * job->depth + s % PANEL_KEYS
                                   : job->k + s * job->k_stride;
        float score = job->scale * dot(q, k, in_panels ? PANEL_KEYS : 1, job->depth);
        if (job->scores_in != NULL) {
            score += job->scores_in[t * job->n_keys + s];
        }
        if (job->mask != NULL) {
            score += job->mask[t * job->mask_stride + s];
        }
        scores[s] = score;
    }
}

void pml_attention_f32_scalar(const pml_attention *job) {
    float *scores = job->work;
    for (size_t t = 0; t < job->n_queries; t++) {
        compute_scores(job, t, scores);
        if (job->scores_out != NULL) {
            memcpy(job->scores_out + t * job->n_keys, scores, job->n_keys * sizeof *scores);
        }
        softmax_scalar(scores, job->n_keys);
        if (job->dropout != NULL) {
            dropout_row(job->dropout, job->dropout_first + t * job->dropout_stride, job->n_keys, scores);
        }
        float *y = job->y + t * job->y_stride;
        for (size_t i = 0; i < job->depth; i++) {
            y[i] = 0.0f;
        }
        const size_t n_seen = job->causal ? job->n_keys - job->n_queries + t + 1 : job->n_keys;
        for (size_t s = 0; s < n_seen; s++) {
            const float *v = job->v + s * job->v_stride;
            for (size_t i = 0; i < job->depth; i++) {
                y[i] += scores[s] * v[i];
            }
        }
    }
}
