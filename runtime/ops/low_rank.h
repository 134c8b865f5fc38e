/* What an adapter adds to a matrix: y = x W + scale (drop(x) A) B, with A and B far narrower than W (Hu et al. 2021,
 * arXiv:2106.09685). W is neither copied nor changed. */
#ifndef PML_RUNTIME_OPS_LOW_RANK_H
#define PML_RUNTIME_OPS_LOW_RANK_H

#include "runtime/ops/context.h"

typedef struct pml_low_rank {
    pml_tensor a, b; /* [in, r], [r, out]: F32, row */
    double scale;
    double dropout; /* of x on its way to A, in training */
} pml_low_rank;

/* What a product with it takes of the workspace beside its result, at most. */
size_t pml_low_rank_bytes(size_t n_rows, size_t rank);

#endif
