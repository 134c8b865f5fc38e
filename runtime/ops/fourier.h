/* Ops on a few frequencies of series, for FEDformer (Zhou et al. 2022): rows of spectra, mixed within heads by complex
 * matrices, and attention between frequencies. The rules of runtime/ops/ops.h hold here too.
 *
 * Spectra [B, 2 M, D] hold M frequencies: real parts in rows 0 .. M-1, imaginary ones behind them. Head h has columns
 * h E .. h E + E - 1, E = D / n_heads. */
#ifndef PML_RUNTIME_OPS_FOURIER_H
#define PML_RUNTIME_OPS_FOURIER_H

#include "runtime/ops/context.h"

/* Rows of a real transform of L = n_steps steps, as torch's rfft has them, for the steps 0 .. L / 2 (those behind them
 * mirror them): table [2 M, L / 2 + 1] with the cosines of modes[i] in row i and the negative sines in row M + i. Modes
 * that such a transform does not have (above L / 2) get zeros. */
void pml_fourier_table(const int64_t *modes, size_t n_modes, size_t n_steps, float *table);
/* What takes them back, times `factor`: a table of the same shape by which coefficients of bins[i] become what irfft
 * makes of them. The imaginary parts of bin 0 and of L / 2 count for nothing; bins above L / 2 are dropped. */
void pml_fourier_inverse_table(const int64_t *bins, size_t n_modes, size_t n_steps, double factor, float *table);

/* The spectrum y [B, 2 M, D] of x [B, L, D], by such a table [2 M, L / 2 + 1], which has no gradient. */
pml_status pml_op_mix_steps(pml_context *context, const pml_tensor *table, const pml_tensor *x, pml_tensor *y,
                            pml_error *error) PML_WARN_UNUSED;
/* Series y [B, L, D] of a spectrum x, L = n_steps: for each column the sum over its coefficients times their rows of
 * the table. With `moved` false the bytes of y are those of [B, D, L], the L numbers of a column side by side:
 * FEDformer reads them as [B, L, D]. Attributes: integer[0] = moved. */
pml_status pml_op_unmix_steps(pml_context *context, const pml_tensor *x, const pml_tensor *table, size_t n_steps,
                              bool moved, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

/* y, a spectrum like x: frequency by frequency and head by head, x times a complex matrix [E, E]. `real`, `imaginary`
 * [n_heads * M, E, E], of head h and frequency m at index h M + m; operands of pml_op_linear. */
pml_status pml_op_mix_modes(pml_context *context, const pml_tensor *x, size_t n_heads, const pml_tensor *real,
                            const pml_tensor *imaginary, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;
/* Workspace that it takes, y included. */
size_t pml_mix_modes_bytes(size_t n_samples, size_t n_modes, size_t n_columns);

typedef enum pml_fourier_activation {
    PML_FOURIER_TANH,          /* of the complex number */
    PML_FOURIER_TANH_SEPARATE, /* of its parts, each for itself */
    PML_FOURIER_SOFTMAX        /* of magnitudes over the keys' frequencies; the result is real */
} pml_fourier_activation;

/* y, a spectrum like q [B, 2 M, D], of k [B, 2 N, D]: per head  y[e, m] = sum_n activation(sum_e q[e, m] k[e, n]) k[e,
 * n] with complex products, nothing conjugated. Attributes: integer = n_heads, activation. */
pml_status pml_op_fourier_attention(pml_context *context, const pml_tensor *q, const pml_tensor *k, size_t n_heads,
                                    pml_fourier_activation activation, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;
/* Workspace that it takes, y included. */
size_t pml_fourier_attention_bytes(size_t n_samples, size_t n_queries, size_t n_columns);

#endif
