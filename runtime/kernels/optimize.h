/* Kinds of the kernels that optimizers update weights with. Every element is for itself, in FP32 with each operation
 * rounded, in PyTorch's order: all variants give the same bits. Ranges do not overlap. */
#ifndef PML_RUNTIME_KERNELS_OPTIMIZE_H
#define PML_RUNTIME_KERNELS_OPTIMIZE_H

#include <stdbool.h>
#include <stddef.h>

/* g = gradient + coupled * value;  value -= rate * d, where d is g, or with a buffer:
 * buffer = buffer * momentum + share * g (is_first: g), d = nesterov ? g + momentum * buffer : buffer. */
typedef struct pml_sgd {
    size_t n;
    float *value;
    const float *gradient;
    float *buffer; /* NULL: none */
    float rate, coupled, momentum, share;
    bool is_first, nesterov;
} pml_sgd;
typedef void pml_sgd_fn(const pml_sgd *job);

/* g = gradient + coupled * value;  value = value * keep;  mean += share_1 * (g - mean) (share_1 >= 1/2:
 * mean = g - (g - mean) * (1 - share_1));  square = square * keep_2 + share_2 * g * g;
 * value += -rate * mean / (sqrt(square) / root + eps). */
typedef struct pml_adam {
    size_t n;
    float *value;
    const float *gradient;
    float *mean, *square;
    float rate, keep, coupled, share_1, keep_2, share_2, root, eps;
} pml_adam;
typedef void pml_adam_fn(const pml_adam *job);

/* c = mean * keep_1 + share_1 * gradient;  value = value * keep - rate * sign(c);  mean = mean * keep_2 + share_2 *
 * gradient. */
typedef struct pml_lion {
    size_t n;
    float *value;
    const float *gradient;
    float *mean;
    float rate, keep, keep_1, share_1, keep_2, share_2;
} pml_lion;
typedef void pml_lion_fn(const pml_lion *job);

#endif
