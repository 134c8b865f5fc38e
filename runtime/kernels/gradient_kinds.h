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

/* What a dropout drops: element i is multiplied by 0 where a random word is below `threshold`, by `scale` otherwise.
 * The word comes from Philox (runtime/base/random.h) under the key `seed`: elements 64 g + 16 w + l, with w < 4 and
 * l < 16, take word w of block `number` * 2^32 + 16 g + l of a stream that is a function of `step`. */
typedef struct pml_dropout_mask {
    uint64_t seed, step;
    uint32_t number; /* of the dropout within the step */
    uint32_t threshold;
    float scale;
} pml_dropout_mask;
#define PML_DROPOUT_GROUP 64u
#define PML_DROPOUT_MAX ((uint64_t)1 << 34) /* elements of one dropout */
#define PML_DROPOUT_STREAM(step) ((uint64_t)0xd0 << 56 | ((step)&0xffffffffffffffu))
/* That of dropping with probability p, from 0 to 1. */
pml_dropout_mask pml_dropout_mask_of(uint64_t seed, uint64_t step, uint64_t number, double p);

/* y [n] = x times the factors of the elements from `first` on, where `adds` y + that; y may be x. */
typedef struct pml_dropout {
    pml_dropout_mask mask;
    uint64_t first; /* a multiple of PML_DROPOUT_GROUP */
    size_t n;
    const float *x;
    float *y;
    bool adds;
} pml_dropout;
typedef void pml_dropout_fn(const pml_dropout *job);

#endif
