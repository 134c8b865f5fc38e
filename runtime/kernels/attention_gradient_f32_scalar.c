/* Gradients of one head of attention: the plain twin that the others are tested against. */
#include <math.h>

#include "runtime/kernels/dropout_body.h"
#include "runtime/kernels/softmax_scalar.h"

static float dot(const float *a, const float *b, size_t n) {
    float sum = 0.0f;
    for (size_t i = 0; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static size_t keys_seen(const pml_attention *of, size_t t) {
    return of->causal ? of->n_keys - of->n_queries + t + 1 : of->n_keys;
}

static void weights_of(const pml_attention_gradient *job, size_t t, float *weights) {
    const pml_attention *of = &job->of;
    const size_t n = of->n_keys;
    for (size_t s = 0; s < keys_seen(of, t); s++) {
        if (job->scores != NULL) {
            weights[s] = job->scores[t * n + s];
            continue;
        }
        weights[s] = of->scale * dot(of->q + t * of->q_stride, of->k + s * of->k_stride, of->depth);
        weights[s] += of->scores_in != NULL ? of->scores_in[t * n + s] : 0.0f;
        weights[s] += of->mask != NULL ? of->mask[t * of->mask_stride + s] : 0.0f;
    }
    softmax_scalar(weights, keys_seen(of, t));
}

static void add(float *y, const float *x, float factor, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] += factor * x[i];
    }
}

void pml_attention_gradient_f32_scalar(const pml_attention_gradient *job) {
    const pml_attention *of = &job->of;
    const size_t n = of->n_keys, depth = of->depth;
    float *weights = job->work, *dweights = weights + n;
    for (size_t t = 0; t < of->n_queries; t++) {
        const size_t n_seen = keys_seen(of, t);
        const uint64_t element = of->dropout_first + t * of->dropout_stride;
        const float *dy = job->dy + t * job->dy_stride;
        weights_of(job, t, weights);
        for (size_t s = 0; s < n_seen; s++) {
            dweights[s] = dot(dy, of->v + s * of->v_stride, depth);
        }
        if (of->dropout != NULL) {
            dropout_row(of->dropout, element, n_seen, dweights);
        }
        const float sum = dot(weights, dweights, n_seen);
        for (size_t s = 0; s < n_seen; s++) {
            dweights[s] = weights[s] * (dweights[s] - sum);
            dweights[s] += job->dscores_out != NULL ? job->dscores_out[t * n + s] : 0.0f;
        }
        if (of->dropout != NULL) {
            dropout_row(of->dropout, element, n_seen, weights);
        }
        for (size_t s = 0; s < n_seen; s++) {
            if (job->dv != NULL) {
                add(job->dv + s * of->v_stride, dy, weights[s], depth);
            }
            if (job->dk != NULL) {
                add(job->dk + s * of->k_stride, of->q + t * of->q_stride, of->scale * dweights[s], depth);
            }
            if (job->dq != NULL) {
                add(job->dq + t * of->q_stride, of->k + s * of->k_stride, of->scale * dweights[s], depth);
            }
        }
        if (job->dscores_in != NULL) {
            add(job->dscores_in + t * n, dweights, 1.0f, n_seen);
        }
    }
}
