/* What AutoCorrelation and its backward pass share. Private to runtime/ops. */
#ifndef PML_RUNTIME_OPS_AUTOCORRELATION_H
#define PML_RUNTIME_OPS_AUTOCORRELATION_H

#include "runtime/ops/op.h"
#include "runtime/ops/signal.h"

typedef struct pml_correlation { /* L queries, n_key_steps keys and values, of which n_keys = S at most L count */
    size_t n_samples, n_steps, n_key_steps, n_keys, n_columns, n_delays;
} pml_correlation;
pml_correlation pml_correlation_of(const pml_tensor *q, const pml_tensor *k, size_t n_delays);

typedef struct pml_delay {
    double weight; /* of softmax(r[delays]) */
    size_t steps;  /* below L */
} pml_delay;

/* (t + delay) mod L. */
static inline size_t pml_correlation_ahead(const pml_correlation *c, size_t t, size_t delay) {
    return t + delay < c->n_steps ? t + delay : t + delay - c->n_steps;
}

/* to [n] += factor * from [n]. */
static inline void pml_correlation_add(float *restrict to, const float *restrict from, float factor, size_t n) {
    for (size_t d = 0; d < n; d++) {
        to[d] += factor * from[d];
    }
}

pml_backward_fn pml_autocorrelation_backward;

#endif
