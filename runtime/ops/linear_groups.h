/* How the rows of x [B, G, ..., in] fall to the matrices of a batched w: for matrix g, `n_jobs` products of `m` rows.
 * Private to linear.c and linear_backward.c. */
#ifndef PML_RUNTIME_OPS_LINEAR_GROUPS_H
#define PML_RUNTIME_OPS_LINEAR_GROUPS_H

#include "runtime/ops/op.h"

/* Without a batch axis there is one group and one job. With one row per (b, g), the rows of a group are taken with a
 * stride. */
typedef struct pml_linear_groups {
    size_t n_groups, n_jobs, m;
    size_t group_rows, job_rows; /* from one group, and one job, to the next */
    size_t row_step;             /* from one row of a job to the next */
} pml_linear_groups;

pml_linear_groups pml_linear_split(const pml_tensor *x, const pml_tensor *w);

pml_backward_fn pml_linear_backward;

#endif
