/* Sums over many rows that do not depend on the number of threads. Private to runtime/ops. */
#ifndef PML_RUNTIME_OPS_REDUCE_H
#define PML_RUNTIME_OPS_REDUCE_H

#include "runtime/ops/gradient.h"

/* Rows in parts for threads: as many for any number of threads. */
typedef struct pml_row_parts {
    size_t n_rows, part_rows, n_parts;
} pml_row_parts;
pml_row_parts pml_row_parts_of(size_t n_rows, size_t least_rows);

/* sums [n] += the sum over the rows of x [m][n], which are `stride` apart, in double. Errors: MEMORY. */
pml_status pml_reduce_rows(pml_context *context, pml_gradients *gradients, const float *x, size_t m, size_t n,
                           size_t stride, float *sums, pml_error *error) PML_WARN_UNUSED;
/* The same of the products x * z, elementwise; z as x. */
pml_status pml_reduce_products(pml_context *context, pml_gradients *gradients, const float *x, const float *z, size_t m,
                               size_t n, size_t stride, float *sums, pml_error *error) PML_WARN_UNUSED;

#endif
