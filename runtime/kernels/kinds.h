/* Kinds of kernels: what each is given and what it does with it. Their contract: runtime/kernels/kernels.h. */
#ifndef PML_RUNTIME_KERNELS_KINDS_H
#define PML_RUNTIME_KERNELS_KINDS_H

#include "runtime/base/error.h"

typedef enum pml_activation {
    PML_ACTIVATION_IDENTITY,
    PML_ACTIVATION_RELU,      /* max(x, 0); NaN stays */
    PML_ACTIVATION_GELU,      /* x / 2 (1 + erf(x / sqrt 2)) */
    PML_ACTIVATION_GELU_TANH, /* x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
    PML_ACTIVATION_SILU,      /* x / (1 + e^-x) */
    PML_ACTIVATION_TANH,
    PML_ACTIVATION_SIGMOID, /* 1 / (1 + e^-x) */
    PML_ACTIVATION_COUNT
} pml_activation;

/* y [m][n] = activation(x [m][k] . W [k][n] + bias [n]) + residual [m][n], in FP32.
 * Sums run over k in ascending order in blocks of PML_MATMUL_DEPTH, whose sums are added in ascending order: the same
 * for any m, and closer to the exact sum than one long chain.
 * matmul_panel_bf16_avx512bf16 first rounds x to BF16 (nearest even; denormals of both factors count as 0) and sums in
 * blocks of 256: it agrees with the other variants over an x that is rounded already, to the rounding of sums. Where k
 * is at most PML_MATMUL_BF16_EXACT_DEPTH it does as they do: such products are the first ones over raw data, whose
 * errors do not average out, and cost little. */
typedef struct pml_matmul {
    size_t m, k, n;
    const float *x; /* does not overlap y */
    size_t x_stride;
    const void *w; /* one matrix in the kernel's layout and dtype; panels 64-byte aligned */
    float *y;
    size_t y_stride;
    const float *bias;     /* NULL: 0 */
    const float *residual; /* NULL: 0; may be y itself (same stride), not a shifted part of it */
    size_t residual_stride;
    pml_activation activation;
} pml_matmul;
#define PML_MATMUL_BF16_EXACT_DEPTH 32u
typedef void pml_matmul_fn(const pml_matmul *job);
#define PML_MATMUL_DEPTH 64u /* half the error of 256 at k = 256, for one percent of the time */

/* Rows as bytes: q = 128 + round(x / scale), nearest even, from 1 to 255, with scale = max |x| / 127 over each run of
 * `group` columns (0: over the row). q is completed with 128 up to a multiple of 4 columns. Magnitudes that are all
 * below 2^-100 count as 0: scale 0. A run that holds NaN or infinity gets scale NaN and q 128, so that whatever is
 * computed from it is NaN. */
typedef struct pml_quantize {
    size_t m, k;
    const float *x;
    size_t x_stride;
    size_t group; /* a multiple of 4, or 0 */
    uint8_t *q;
    size_t q_stride; /* at least k rounded up to 4 */
    float *scales;   /* [m][ceil(k / group)], [m][1] when group is 0 */
} pml_quantize;
typedef void pml_quantize_fn(const pml_quantize *job);

/* y [m][n] = activation(x [m][k] . W [k][n] + bias [n]) + residual [m][n] over quantized rows and I8 panels.
 * Sums of products are exact in I32 (modulo 2^32: exact for k below 133000) and the same on every instruction set.
 * What follows has one order: per column  value = fma(sum, x_scale * w_scale, bias);  in groups, total = fma(sum,
 * x_scale * w_scale, total) in ascending order, then value = fma(total, scale_factor, bias). Where the instruction set
 * has FMA, activations are the same too. */
typedef struct pml_matmul_i8 {
    size_t m, k, n;
    const uint8_t *x; /* as pml_quantize leaves it */
    size_t x_stride;
    const float *x_scales; /* [m] or [m][ceil(k / group_rows)] */
    const int8_t *w;       /* one matrix in panels, 64-byte aligned; no value is -128 */
    const void *w_scales;  /* F32 [panels][16], or F16 [panels][groups][16] */
    const void *w_sums;    /* of W's columns: I32 or I16, arranged likewise */
    size_t group_rows;     /* matmul_panel_i8g: 32 or 64; otherwise 0 */
    float scale_factor;    /* matmul_panel_i8g */
    float *y;              /* does not overlap x */
    size_t y_stride;
    const float *bias;     /* NULL: 0 */
    const float *residual; /* NULL: 0; may be y itself (same stride), not a shifted part of it */
    size_t residual_stride;
    pml_activation activation;
} pml_matmul_i8;
typedef void pml_matmul_i8_fn(const pml_matmul_i8 *job);

/* x [n] = activation(x), in place. */
typedef void pml_activate_fn(pml_activation activation, float *x, size_t n);

/* y [n] from a [n] and b [n]; y may be a or b. */
typedef void pml_binary_fn(const float *a, const float *b, float *y, size_t n);

/* Per row: y = (x - mean) / sqrt(variance + eps) * weight + bias with the row's own mean and population variance. */
typedef struct pml_layer_norm {
    size_t n_rows, n_columns;
    const float *x;             /* [n_rows][n_columns] */
    float *y;                   /* same shape; may be x */
    const float *weight, *bias; /* [n_columns]; NULL: 1 and 0 */
    double eps;
} pml_layer_norm;
typedef void pml_layer_norm_fn(const pml_layer_norm *job);

/* Per column: y = (x - mean) / sqrt(variance + eps) * weight + bias with given statistics (evaluation mode). */
typedef struct pml_batch_norm {
    size_t n_rows, n_columns;
    const float *x;               /* [n_rows][n_columns] */
    float *y;                     /* same shape; may be x */
    const float *mean, *variance; /* [n_columns] */
    const float *weight, *bias;   /* [n_columns]; NULL: 1 and 0 */
    double eps;
} pml_batch_norm;
typedef void pml_batch_norm_fn(const pml_batch_norm *job);

/* Per row, in place: x = exp(x - max x) / sum exp(x - max x). A row of -infinity only becomes NaN. */
typedef struct pml_softmax {
    size_t n_rows, n_columns;
    float *x; /* [n_rows][x_stride], n_columns of each row used */
    size_t x_stride;
} pml_softmax;
typedef void pml_softmax_fn(const pml_softmax *job);

/* One head of scaled dot-product attention:
 *   scores [T][S] = scale q.k^T + scores_in + mask;   y [T][d] = softmax(scores) . v
 * With `causal`, query t sees keys 0 .. S - T + t only (T <= S); the scores of the others are -infinity, whatever they
 * and their values are. */
typedef struct pml_attention {
    size_t n_queries; /* T */
    size_t n_keys;    /* S */
    size_t depth;     /* d, of q, k, v and y */
    const float *q;   /* [T][q_stride] */
    size_t q_stride;
    const float *k; /* [S][k_stride]; NULL: k_panels instead */
    size_t k_stride;
    /* Keys as panels [S / 16 rounded up][d][16], what is past the last key finite; 64-byte aligned. */
    const float *k_panels;
    const float *v; /* [S][v_stride] */
    size_t v_stride;
    float *y; /* [T][y_stride]; overlaps nothing */
    size_t y_stride;
    float scale;
    bool causal;
    const float *scores_in; /* [T][S] contiguous, NULL: none; the scores of an earlier layer */
    float *scores_out;      /* [T][S] contiguous, NULL: not wanted; may be scores_in */
    const float *mask;      /* added to the scores, [T][mask_stride]; stride 0: one row for all; NULL: none */
    size_t mask_stride;
    /* In training, NULL: none: the weights of query t are multiplied by the factors of the elements from dropout_first
     * + t * dropout_stride on. Both are multiples of PML_DROPOUT_GROUP. */
    const struct pml_dropout_mask *dropout;
    uint64_t dropout_first;
    size_t dropout_stride;
    float *work; /* pml_attention_work(n_keys, depth) floats, 64-byte aligned */
} pml_attention;
typedef void pml_attention_fn(const pml_attention *job);
/* Floats of scratch that any variant needs. */
size_t pml_attention_work(size_t n_keys, size_t depth);

/* The sum, modulo 2^64, of the whole 64-bit words of a range, in this machine's byte order: what reading costs at
 * least. The range falls into n_streams >= 1 parts that are read in turns; lines are fetched ahead_bytes before their
 * use (0: left to the CPU). */
typedef struct pml_read {
    const void *bytes;
    size_t size_bytes, n_streams, ahead_bytes;
} pml_read;
typedef uint64_t pml_read_fn(const pml_read *job);

#endif
