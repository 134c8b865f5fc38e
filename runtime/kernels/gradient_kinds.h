/* Kinds of kernels that training needs. Their contract: runtime/kernels/kernels.h. */
#ifndef PML_RUNTIME_KERNELS_GRADIENT_KINDS_H
#define PML_RUNTIME_KERNELS_GRADIENT_KINDS_H

#include "runtime/kernels/kinds.h"

/* dx [n] = dy * activation'(x), where `adds` dx + that, for x [n] and dy [n]; dx may be dy. The slope of RELU at 0 is
 * 0.
 */
typedef struct pml_activate_gradient {
    pml_activation activation;
    size_t n;
    const float *x, *dy;
    float *dx;
    bool adds;
} pml_activate_gradient;
typedef void pml_activate_gradient_fn(const pml_activate_gradient *job);

/* What layer_norm's result has to do with its operands: per row, with x' = (x - mean) / sqrt(variance + eps) and
 * g = dy * weight, dx = (g - mean of g - x' * mean of g x') / sqrt(variance + eps), where `adds` dx + that;
 * per column, dweight += the sum of dy * x' and dbias += that of dy, in double, row by row. */
typedef struct pml_layer_norm_gradient {
    size_t n_rows, n_columns;
    const float *x, *dy;     /* [n_rows][n_columns] */
    const float *weight;     /* [n_columns]; NULL: 1 */
    float *dx;               /* as x; NULL: not wanted */
    double *dweight, *dbias; /* [n_columns]; NULL: not wanted */
    double eps;
    bool adds;
} pml_layer_norm_gradient;
typedef void pml_layer_norm_gradient_fn(const pml_layer_norm_gradient *job);

/* Per column, in double, row by row: sums += z and products += z (x - shift). Without z it is x - shift. */
typedef struct pml_column_sums {
    size_t n_rows, n_columns;
    const float *x; /* [n_rows][stride] */
    const float *z; /* as x; NULL: x - shift */
    size_t stride;
    const float *shift; /* [n_columns]; NULL: 0 */
    double *sums;       /* [n_columns]; NULL: not wanted */
    double *products;   /* [n_columns]; NULL: not wanted */
} pml_column_sums;
typedef void pml_column_sums_fn(const pml_column_sums *job);

#endif
