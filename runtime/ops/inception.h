/* Ops of TimesNet (Wu et al. 2023, arXiv:2210.02186): which periods a series has, images whose rows are its periods,
 * and mixtures of what became of them. The rules of runtime/ops/ops.h hold here too. */
#ifndef PML_RUNTIME_OPS_INCEPTION_H
#define PML_RUNTIME_OPS_INCEPTION_H

#include "runtime/ops/context.h"

/* y [B, M] = mean over columns of the magnitudes of x [B, 2 M, D], real parts in rows 0 .. M - 1, imaginary ones behind
 * them (pml_op_mix_steps with pml_fourier_table); summed in double. */
pml_status pml_op_amplitudes(pml_context *context, const pml_tensor *x, pml_tensor *y,
                             pml_error *error) PML_WARN_UNUSED;

/* The `count` greatest of the means over B of amplitudes [B, M], without that of frequency 0, greatest first, the first
 * of equal ones first; NaN counts as least. count is at most M - 1 and fits `frequencies`. */
void pml_amplitudes_greatest(const pml_tensor *amplitudes, size_t count, size_t *frequencies);

/* y [..., n_picked] = columns `picked` of x [..., M]. */
pml_status pml_op_pick(pml_context *context, const pml_tensor *x, const size_t *picked, size_t n_picked, pml_tensor *y,
                       pml_error *error) PML_WARN_UNUSED;

#define PML_CONVOLVE_MAX_TAPS 31u
/* Conv2d with `same` zero padding and an odd square of taps, PML_CONVOLVE_MAX_TAPS at most: y [B, H, W, out] =
 * x [B, H, W, in] * w + bias + residual (NULL: 0). w [taps, taps * in, out], operand of pml_op_linear; row dx * in + c
 * of matrix dy belongs to image row h + dy - taps / 2 and column v + dx - taps / 2. Rows outside of the image cost
 * nothing.
 */
pml_status pml_op_convolve(pml_context *context, const pml_tensor *x, const pml_tensor *w, const pml_tensor *bias,
                           const pml_tensor *residual, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;
/* Workspace that it takes, y included. */
size_t pml_convolve_bytes(size_t n_samples, size_t n_positions, size_t taps, size_t n_in, size_t n_out);

#define PML_MERGE_MAX_KERNELS PML_TAPE_MAX_INPUTS
/* The kernel y whose convolution is `factor` times the sum of those of `kernels` [taps, taps * in, out], F32 in layout
 * row, each of its own odd taps: y has the most of them. Attributes: real = factor. */
pml_status pml_op_merge_taps(pml_context *context, const pml_tensor *const *kernels, size_t n_kernels, double factor,
                             pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

/* y = x [B, T, D] + softmax(scores)[b, i_part] times the first T steps of part [B, N, D]; scores [B, K]. Attributes:
 * integer = i_part. */
pml_status pml_op_add_share(pml_context *context, const pml_tensor *x, const pml_tensor *part, const pml_tensor *scores,
                            size_t i_part, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

#endif
