/* pml_op_unfold over plain memory, for ops that have it as a part. Private to runtime/ops. */
#ifndef PML_RUNTIME_OPS_UNFOLD_H
#define PML_RUNTIME_OPS_UNFOLD_H

#include "runtime/ops/signal.h"

/* y [n_samples, n_steps, taps * n_channels] of x [n_samples, n_steps, n_channels]. */
void pml_unfold(const float *x, size_t n_samples, size_t n_steps, size_t n_channels, size_t taps,
                pml_unfold_padding padding, float *y);

#endif
