/* Ops of the time-series families beside those of runtime/ops/ops.h, whose rules hold here too: convolutions written as
 * products, and correlations of whole series. */
#ifndef PML_RUNTIME_OPS_SIGNAL_H
#define PML_RUNTIME_OPS_SIGNAL_H

#include "runtime/ops/context.h"

typedef enum pml_unfold_padding {
    PML_UNFOLD_CIRCULAR, /* steps before the first are the last ones, and the other way round */
    PML_UNFOLD_ZERO
} pml_unfold_padding;

/* What a convolution over time multiplies: y [B, T, taps * C] where step t has steps t - (taps - 1) / 2 + i of
 * x [B, T, C] in columns i*C .. i*C+C-1. With a weight [taps * C, out] (PML_ROLE_CONVOLUTION) pml_op_linear of y is
 * Conv1d with `taps` taps and padding (taps - 1) / 2. taps is odd and, when circular, at most 2 T + 1. Attributes:
 * integer = taps, padding. */
pml_status pml_op_unfold(pml_context *context, const pml_tensor *x, size_t taps, pml_unfold_padding padding,
                         pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

/* y [B, T, C] = x less its mean over T of that sample and channel, which is summed in double. */
pml_status pml_op_center(pml_context *context, const pml_tensor *x, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

/* y [B, count + n_more, C]: the last `count` steps of x [B, T, C], then n_more times the mean of `level` [B, U, C] over
 * U (NULL: 0). What a decoder starts from. Attributes: integer = count, n_more. */
pml_status pml_op_continue(pml_context *context, const pml_tensor *x, size_t count, const pml_tensor *level,
                           size_t n_more, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

/* y [B, n_steps, C]: x [B, T, C], and behind its end its first steps again; T <= n_steps <= 2 T. */
pml_status pml_op_wrap(pml_context *context, const pml_tensor *x, size_t n_steps, pml_tensor *y,
                       pml_error *error) PML_WARN_UNUSED;

/* Runs of `width` values of a and b in turns: a's first, b's first, a's second, … y [..., 2 n, m] of a, b [..., n, m]
 * by steps, or [..., n, 2 m] by columns. Attributes: integer = width, by columns. */
pml_status pml_op_zip(pml_context *context, const pml_tensor *a, const pml_tensor *b, size_t width, bool by_columns,
                      pml_tensor *y, pml_error *error) PML_WARN_UNUSED;
/* Steps first, first + 2, first + 4, … of x [B, T, C], T even: y [B, T / 2, C]. Attributes: integer[0] = first. */
pml_status pml_op_alternate(pml_context *context, const pml_tensor *x, size_t first, pml_tensor *y,
                            pml_error *error) PML_WARN_UNUSED;

#define PML_WEIGH_MAX_PARTS 5u
/* y [...] = sum over k of softmax(scores)[..., k] * parts[k][...]: for every value its own mixture of n_parts tensors
 * of one shape; scores [count of y, n_parts]. */
pml_status pml_op_weigh(pml_context *context, const pml_tensor *parts, size_t n_parts, const pml_tensor *scores,
                        pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

typedef struct pml_autocorrelation_options {
    size_t n_delays;   /* how many delays are aggregated, 1 .. L */
    bool share_delays; /* one set for the whole batch, as in training; otherwise each sample has its own */
    bool is_rounded;   /* where L is odd, r is what pml_correlation_round makes of it */
} pml_autocorrelation_options;

/* AutoCorrelation (Autoformer, Wu et al. 2021, eq. 4 to 6): y [B, L, D] from q [B, L, D] and k, v [B, S, D], which
 * count as zeros behind their last step and are cut behind step L.
 *   r[b][u] = mean over columns of sum_t q[b][(t + u) mod L] k[b][t]: what the inverse transform of the spectra's
 *             product gives; heads do not matter, because delays and weights are means over heads
 *   delays  = the n_delays greatest of r[b] (share_delays: of its mean over the batch), the first of equal ones first
 *   y[b][t] = sum_i softmax(r[b][delays])[i] v[b][(t + delays[i]) mod L]
 * Attributes: integer = n_delays, share_delays, whether r is rounded. */
pml_status pml_op_autocorrelation(pml_context *context, const pml_tensor *q, const pml_tensor *k, const pml_tensor *v,
                                  const pml_autocorrelation_options *options, pml_tensor *y,
                                  pml_error *error) PML_WARN_UNUSED;
/* Correlations r [L], L odd and above 1, as an inverse transform gives them that is not told L: it takes the L - 1
 * steps that as many frequencies usually belong to, so r[L - 1] becomes 0 and is no delay. `work` holds 4 L values. */
void pml_correlation_round(double *r, size_t n_steps, double *work);
/* Its way back for gradients: d [L] of what it makes becomes that of what it is given. */
void pml_correlation_round_back(double *d, size_t n_steps, double *work);
/* What the op takes from the workspace beside y. */
size_t pml_autocorrelation_work_bytes(size_t n_samples, size_t n_steps);

#endif
