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

/* Sums of outer products of rows: y [n_a][n_b] = the sum over r of a[r] (x) b[r], where `adds` y + that, each in the
 * order of the rows; a [n_rows][a_stride], b [n_rows][b_stride]. What a matrix's gradient is. */
typedef struct pml_outer {
    size_t n_rows, n_a, n_b;
    const float *a, *b;
    size_t a_stride, b_stride;
    float *y; /* [n_a][y_stride], none of a or b */
    size_t y_stride;
    bool adds;
} pml_outer;
typedef void pml_outer_fn(const pml_outer *job);

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

/* What one head of attention has to do with its operands: with the weights w = softmax(scores), their factors f of a
 * dropout (without one 1) and what arrives from dy at the weights, dw = (dy . v^T) f,
 *   dscores [T][S] = w (dw - the sum of w dw over keys) + dscores_out;
 *   dq += scale dscores . k;  dk += scale dscores^T . q;  dv += (w f)^T . dy;  dscores_in += dscores.
 * Results may be one matrix, such as dq and dk. */
typedef struct pml_attention_gradient {
    pml_attention of;    /* the forward job; y, scores_out and work are not used, k_panels is NULL */
    const float *scores; /* [T][S] contiguous, what it handed out; NULL: computed again */
    const float *dy;     /* [T][dy_stride] */
    size_t dy_stride;
    const float *dscores_out; /* [T][S] contiguous: what arrives at the scores from elsewhere; NULL: nothing */
    float *dscores_in;        /* likewise; NULL: not wanted */
    float *dq, *dk, *dv;      /* with the strides of q, k and v; NULL: not wanted */
    float *work;              /* pml_attention_gradient_work(n_keys, depth) floats, 64-byte aligned */
} pml_attention_gradient;
typedef void pml_attention_gradient_fn(const pml_attention_gradient *job);
/* Floats of scratch that any variant needs. */
size_t pml_attention_gradient_work(size_t n_keys, size_t depth);
/* Queries that share a block of that scratch. */
#define PML_ATTENTION_GRADIENT_ROWS 64u

#endif
