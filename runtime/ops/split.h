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
void pml_split_batch_norm(pml_context *context, const pml_batch_norm *job);

/* Attention of several sequences with as many heads each. Heads of a sequence differ in where they lie only. */
typedef struct pml_heads {
    size_t n_sequences, n_heads;
    /* Fills all of *job but `work`. Called by several threads at once. */
    void (*job)(const void *user, size_t i_sequence, size_t i_head, pml_attention *job);
    const void *user;
} pml_heads;
/* All of them with the context's kernel; none has more keys, or another depth. Errors: MEMORY. */
pml_status pml_split_attention(pml_context *context, const pml_heads *heads, size_t n_keys, size_t depth,
                               pml_error *error) PML_WARN_UNUSED;

#endif
