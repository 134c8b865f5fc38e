/* Kernels' jobs, split over the context's threads: the same results, bit for bit, for any number of them. */
#ifndef PML_RUNTIME_OPS_SPLIT_H
#define PML_RUNTIME_OPS_SPLIT_H

#include "runtime/ops/context.h"

/* matmul(job), whose matrix is, or is part of, `w`. */
void pml_split_matmul(pml_context *context, pml_matmul_fn *matmul, const pml_matmul *job, const pml_tensor *w);
void pml_split_matmul_i8(pml_context *context, pml_matmul_i8_fn *matmul, const pml_matmul_i8 *job);
/* By rows, with the context's kernels. */
void pml_split_quantize(pml_context *context, const pml_quantize *job);
void pml_split_layer_norm(pml_context *context, const pml_layer_norm *job);

#endif
