/* Attention between frequencies, head by head: what fourier_attention.c and its backward pass share. Private to
 * runtime/ops. */
#ifndef PML_RUNTIME_OPS_FOURIER_ATTENTION_H
#define PML_RUNTIME_OPS_FOURIER_ATTENTION_H

#include "runtime/ops/fourier.h"
#include "runtime/ops/op.h"

/* M queries, N keys, E columns of each head. */
typedef struct pml_frequencies {
    size_t n_samples, n_heads, n_queries, n_keys, n_columns, width;
    pml_fourier_activation activation;
} pml_frequencies;
pml_frequencies pml_frequencies_of(const pml_tensor *q, const pml_tensor *k, const pml_op_attributes *attributes);

/* Where head `i` of all samples' heads begins in a spectrum of n_modes frequencies. */
size_t pml_frequencies_begin(const pml_frequencies *f, size_t i, size_t n_modes);

/* Some of a head's frequencies x [R, E], a row in every n_columns floats: real parts and, behind n_modes rows,
 * imaginary ones. */
typedef struct pml_head_matrix {
    const float *real, *imaginary;
    size_t stride;
} pml_head_matrix;
pml_head_matrix pml_frequencies_head(const pml_frequencies *f, const float *spectrum, size_t i, size_t n_modes);

/* y [2 N, E]: `above` times its sign, then `below` times its own; and wide [E, 2 N], its transpose. */
typedef struct pml_signed_rows {
    const float *rows; /* `stride` apart */
    float sign;
} pml_signed_rows;
void pml_frequencies_tall(const pml_frequencies *f, pml_signed_rows above, pml_signed_rows below, float *y);
void pml_frequencies_wide(const pml_frequencies *f, pml_signed_rows left, pml_signed_rows right, float *y);

/* scores [M, 2 N], real parts beside imaginary ones, of head i before the activation; `wide`: scratch of 2 E N floats.
 */
void pml_frequencies_score(const pml_kernels *kernels, const pml_frequencies *f, const float *q, const float *k,
                           size_t i, float *wide, float *scores);

/* The cost of all heads, for threads. */
double pml_frequencies_cost(const pml_frequencies *f);

pml_backward_fn pml_fourier_attention_backward;

#endif
