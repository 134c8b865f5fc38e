/* Ops on a few frequencies of series, for FEDformer (Zhou et al. 2022): rows of spectra, mixed within heads by complex
 * matrices, and attention between frequencies. The rules of runtime/ops/ops.h hold here too.
 *
 * Spectra [B, 2 M, D] hold M frequencies: real parts in rows 0 .. M-1, imaginary ones behind them. Head h has columns
 * h E .. h E + E - 1, E = D / n_heads. */
#ifndef PML_RUNTIME_OPS_FOURIER_H
#define PML_RUNTIME_OPS_FOURIER_H

#include "runtime/ops/context.h"

/* Rows of a real transform of `n_steps` steps, as torch's rfft has them: table [2 M, n_steps] with the cosines of
 * modes[i] in row i and the negative sines in row M + i. Modes that such a transform does not have (above n_steps / 2)
 * get zeros. */
void pml_fourier_table(const int64_t *modes, size_t n_modes, size_t n_steps, float *table);
/* What takes them back, times `factor`: table [2 M, n_steps] whose product with coefficients of bins[i] is irfft. The
 * imaginary parts of bin 0 and of n_steps / 2 count for nothing; bins above n_steps / 2 are dropped. */
void pml_fourier_inverse_table(const int64_t *bins, size_t n_modes, size_t n_steps, double factor, float *table);

/* y [B, R, D] = table [R, L] . x [B, L, D]: sums over steps. */
pml_status pml_op_mix_steps(pml_context *context, const pml_tensor *table, const pml_tensor *x, pml_tensor *y,
                            pml_error *error) PML_WARN_UNUSED;

/* y, a spectrum like x: frequency by frequency and head by head, x times a complex matrix [E, E]. `real`, `imaginary`
 * [n_heads * M, E, E], of head h and frequency m at index h M + m; operands of pml_op_linear. */
pml_status pml_op_mix_modes(pml_context *context, const pml_tensor *x, size_t n_heads, const pml_tensor *real,
                            const pml_tensor *imaginary, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;
/* Workspace that it takes, y included. */
size_t pml_mix_modes_bytes(size_t n_samples, size_t n_modes, size_t n_columns);

/* y [B, L, D] of a spectrum x: for each column d the sum over its coefficients times `table` [2 M, L], row-major F32.
 * Results of column d are L numbers side by side, so the bytes of y are those of [B, D, L]: FEDformer reads them as
 * [B, L, D] without moving them (`moved` false); with `moved` they are where they belong. */
pml_status pml_op_unmix_steps(pml_context *context, const pml_tensor *x, const pml_tensor *table, bool moved,
                              pml_tensor *y, pml_error *error) PML_WARN_UNUSED;
/* Workspace that it takes, y included. */
size_t pml_unmix_steps_bytes(size_t n_samples, size_t n_modes, size_t n_steps, size_t n_columns);

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
