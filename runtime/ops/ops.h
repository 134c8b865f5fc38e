/* Ops: functions over tensors in a context. Each computes with the context's kernels, puts its result `y` into the
 * workspace and records itself when the context has a tape. Models are written from these alone.
 *
 * Operands are row-major FP32 unless an op says otherwise; `y` need not be initialised. "[..., n]" is any number of
 * leading axes, each kept. Optional operands may be NULL. Errors of every op: ARGUMENT (shapes that do not fit, naming
 * the op), UNSUPPORTED (a dtype or parameter that this build has no kernel for), MEMORY. */
#ifndef PML_RUNTIME_OPS_OPS_H
#define PML_RUNTIME_OPS_OPS_H

#include "runtime/ops/context.h"
#include "runtime/ops/kv_cache.h"
#include "runtime/ops/low_rank.h"

/* ---- linear ------------------------------------------------------------------------------------------------- */
/* y [..., out] = activation(x [..., in] . w + bias) + residual [..., out].
 * `w` [in, out], `row` or `panel`, F32 or BF16, or I8 panels, for which x is quantized by row, or by row and group;
 * `bias` [out]. One matrix per group: `w` [G, in, out], `bias` [G, out],
 * and axis 1 of x [B, G, ..., in] chooses the matrix. A tape records an activation as an op of its own. */
pml_status pml_op_linear(pml_context *context, const pml_tensor *x, const pml_tensor *w, const pml_tensor *bias,
                         pml_activation activation, const pml_tensor *residual, pml_tensor *y,
                         pml_error *error) PML_WARN_UNUSED;

/* One of several matrices that the same x goes through: the operands of pml_op_linear. */
typedef struct pml_linear_part {
    const pml_tensor *w, *bias;
    pml_activation activation;
    const pml_tensor *residual;
    const pml_low_rank *adapter; /* added to x . w before the activation; NULL: none */
    pml_tensor *y;
} pml_linear_part;
/* pml_op_linear for each part, the matrices all of rank 2 or all of rank 3. For I8 matrices x is quantized once. */
pml_status pml_op_linears(pml_context *context, const pml_tensor *x, const pml_linear_part *parts, size_t n_parts,
                          pml_error *error) PML_WARN_UNUSED;

typedef struct pml_feed_forward {
    const pml_tensor *up, *up_bias, *down, *down_bias; /* [in, F], [F] or NULL, [F, out], [out] or NULL */
    pml_activation activation;                         /* between them */
    const pml_tensor *residual;                        /* [..., out] or NULL */
    double dropout; /* training with a tape: of what the activation gives, as pml_op_dropout */
    const pml_low_rank *up_adapter, *down_adapter; /* of the matrices, or NULL */
} pml_feed_forward;
/* y [..., out] = activation(x [..., in] . up + up_bias) . down + down_bias + residual: the numbers of two
 * pml_op_linear; of what lies between them a tape keeps at most what is before the activation. Attributes: real =
 * dropout; integer[0] = activation + 256 * number of the dropout, seed, step; data = what is kept, or NULL. */
pml_status pml_op_feed_forward(pml_context *context, const pml_tensor *x, const pml_feed_forward *layer, pml_tensor *y,
                               pml_error *error) PML_WARN_UNUSED;
/* What it takes of the workspace beside y, at most. */
size_t pml_op_feed_forward_bytes(size_t n_rows, size_t n_in, size_t width);

/* ---- attention ---------------------------------------------------------------------------------------------- */
typedef struct pml_attention_options {
    size_t n_heads; /* divides the columns of q, k and v: head h has columns h*d .. h*d+d-1 */
    unsigned axis;  /* of q, k, v along which tokens lie; every other index is a sequence of its own */
    float scale;    /* of q.k, such as 1/sqrt(d) */
    bool causal;    /* query t sees keys up to n_keys - n_queries + t */
    /* Ragged batch, NULL: none: q, k, v [R, D] hold n_sequences one after the other, sequence i in rows
     * row_offsets[i] .. row_offsets[i+1]-1; axis is 0. Excludes mask and scores. */
    const size_t *row_offsets;
    size_t n_sequences;
    /* Added to the scores, NULL: none: [queries, keys] or [sequences, queries, keys], where queries may be 1 for "all".
     */
    const pml_tensor *mask;
    /* Scores handed from layer to layer, NULL: none. [sequences, heads, queries, keys]: dtype NONE at the first layer;
     * the op adds them before the softmax and replaces them by its own, mask included. */
    pml_tensor *scores;
    /* In training, share of the weights that become 0; the others are divided by what is left of 1. */
    double dropout;
    /* NULL: none. With it, k and v are the tokens behind those that the cache has of each sequence: they are put into
     * it, and queries attend to all of them. Needs row_offsets and `causal`; excludes mask, scores and a tape. */
    const pml_kv_cache *cache;
} pml_attention_options;

/* y = softmax(scale q.kT + scores + mask) . v per sequence and head; q [..., D], k and v the same shape up to the
 * number of tokens. y has q's shape. On a tape, y and the scores handed on are one output. Attributes: real = scale;
 * integer = n_heads, axis, causal; data = all of them (runtime/ops/attention_heads.h). */
pml_status pml_op_attention(pml_context *context, const pml_tensor *q, const pml_tensor *k, const pml_tensor *v,
                            const pml_attention_options *options, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

/* ---- norm --------------------------------------------------------------------------------------------------- */
typedef enum pml_norm_kind {
    PML_NORM_LAYER, /* statistics of each row */
    PML_NORM_BATCH  /* statistics of each column: given, or, in training, those of the rows */
} pml_norm_kind;

/* Share of a batch in the running statistics. */
#define PML_NORM_MOMENTUM 0.1

typedef struct pml_norm {
    pml_norm_kind kind;
    double eps;              /* inside the root */
    pml_tensor weight, bias; /* [columns]; PML_NORM_LAYER: a bias of dtype NONE is none */
    /* [columns], PML_NORM_BATCH only: the running statistics. While a network is trained they are not read but written,
     * and the variance that goes into them is the unbiased one; not where a layer is computed again. */
    pml_tensor mean, variance;
} pml_norm;

/* y [..., n] = (x - mean) / sqrt(variance + eps) * weight + bias. In training, PML_NORM_BATCH needs two rows.
 * Attributes: real = eps, integer = kind, whether the mean and variance on the tape are those of x. */
pml_status pml_op_norm(pml_context *context, const pml_tensor *x, const pml_norm *norm, pml_tensor *y,
                       pml_error *error) PML_WARN_UNUSED;

/* ---- shapes and sums ---------------------------------------------------------------------------------------- */
/* y = a + b; the shape of b equals the last axes of a (position tables). */
pml_status pml_op_add(pml_context *context, const pml_tensor *a, const pml_tensor *b, pml_tensor *y,
                      pml_error *error) PML_WARN_UNUSED;

/* y = a - b, of one shape. */
pml_status pml_op_subtract(pml_context *context, const pml_tensor *a, const pml_tensor *b, pml_tensor *y,
                           pml_error *error) PML_WARN_UNUSED;

/* The elements of x (F32, or F64 rounded to F32) into y, of as many elements and another shape perhaps, which exists:
 * an output of the model. */
pml_status pml_op_store(pml_context *context, const pml_tensor *x, const pml_tensor *y,
                        pml_error *error) PML_WARN_UNUSED;

/* y [..., n, m] = x [..., m, n] with its last two axes exchanged. */
pml_status pml_op_transpose(pml_context *context, const pml_tensor *x, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

/* y [..., count, n] = rows first .. first+count-1 of axis rank-2 of x [..., m, n]. Attributes: integer = first, count.
 */
pml_status pml_op_slice(pml_context *context, const pml_tensor *x, size_t first, size_t count, pml_tensor *y,
                        pml_error *error) PML_WARN_UNUSED;

/* y [..., m + k, n] = a [..., m, n], then b [..., k, n] along axis rank-2. */
pml_status pml_op_append(pml_context *context, const pml_tensor *a, const pml_tensor *b, pml_tensor *y,
                         pml_error *error) PML_WARN_UNUSED;

/* y [..., n, m, rest...] = x [..., m, n, rest...] with axes `axis` and axis+1 exchanged; at least one axis follows
 * them. Attributes: integer[0] = axis. */
pml_status pml_op_swap_axes(pml_context *context, const pml_tensor *x, unsigned axis, pml_tensor *y,
                            pml_error *error) PML_WARN_UNUSED;

/* y [..., n] = x * weight [n] + bias [n], in double, rounded once. */
pml_status pml_op_scale_columns(pml_context *context, const pml_tensor *x, const pml_tensor *weight,
                                const pml_tensor *bias, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;
/* y = (x - bias) / (weight + floor), in double, rounded once. Attributes: real = floor. */
pml_status pml_op_unscale_columns(pml_context *context, const pml_tensor *x, const pml_tensor *weight,
                                  const pml_tensor *bias, double floor, pml_tensor *y,
                                  pml_error *error) PML_WARN_UNUSED;

/* y = x * factor + shift, in double, rounded once. Attributes: real = factor. */
pml_status pml_op_affine(pml_context *context, const pml_tensor *x, double factor, double shift, pml_tensor *y,
                         pml_error *error) PML_WARN_UNUSED;

/* y = activation(x). Attributes: integer[0] = activation. */
pml_status pml_op_activate(pml_context *context, const pml_tensor *x, pml_activation activation, pml_tensor *y,
                           pml_error *error) PML_WARN_UNUSED;

/* In training, elements become 0 with probability p and x / (1 - p) otherwise, as context->training and their place
 * say; else y is x itself. y may be x. Attributes: real = p; integer = number of this dropout in its step, seed, step.
 */
pml_status pml_op_dropout(pml_context *context, const pml_tensor *x, double p, pml_tensor *y,
                          pml_error *error) PML_WARN_UNUSED;

/* y = max(shift + (x + sqrt(x^2 + 4)) / 2, least), positive, in double. Attributes: real = least. */
pml_status pml_op_squareplus(pml_context *context, const pml_tensor *x, double shift, double least, pml_tensor *y,
                             pml_error *error) PML_WARN_UNUSED;

typedef enum pml_pool_kind { PML_POOL_MEAN, PML_POOL_MAX } pml_pool_kind;
/* y [..., n] = mean (summed in double) or maximum over axis rank-2 of x [..., m, n], m > 0. Attributes: integer[0] =
 * kind. */
pml_status pml_op_pool(pml_context *context, const pml_tensor *x, pml_pool_kind kind, pml_tensor *y,
                       pml_error *error) PML_WARN_UNUSED;

/* ---- tokens: look-up and ragged batches --------------------------------------------------------------------- */
typedef enum pml_lookup_axis {
    PML_LOOKUP_ROWS,   /* table [n, D], row, F32 */
    PML_LOOKUP_COLUMNS /* table [D, n], an operand of products: row or panel, F32 or BF16 */
} pml_lookup_axis;
/* y [..., D] = the rows or columns of `table` that `indexes` [...] names: F32 values from 0 to below n, cut to
 * integers. Errors: ARGUMENT (an index out of range). Attributes: integer[0] = axis. */
pml_status pml_op_lookup(pml_context *context, const pml_tensor *table, pml_lookup_axis axis, const pml_tensor *indexes,
                         pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

/* The same where the rows of index `padding` (SIZE_MAX: none) stand for nothing: they are read, but this op adds
 * nothing to their gradient. Attributes: integer = axis, padding. */
pml_status pml_op_lookup_padded(pml_context *context, const pml_tensor *table, pml_lookup_axis axis,
                                const pml_tensor *indexes, size_t padding, pml_tensor *y,
                                pml_error *error) PML_WARN_UNUSED;

/* Row places[r] of y [N, n], which exists (an output of the model), = columns first_column .. first_column + n - 1 of
 * row r of x [R, m]; other rows stay as they are. `places` [R]: F32 values from 0 to below N, no two alike. Attributes:
 * integer[0] = first_column. */
pml_status pml_op_scatter(pml_context *context, const pml_tensor *x, const pml_tensor *places, size_t first_column,
                          const pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

/* y [n_sequences, D] = mean (summed in double) or maximum over the rows of each sequence of a ragged batch x [R, D]
 * (pml_attention_options.row_offsets), none of them empty. Attributes: integer[0] = kind. */
pml_status pml_op_pool_ragged(pml_context *context, const pml_tensor *x, const size_t *row_offsets, size_t n_sequences,
                              pml_pool_kind kind, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

/* y [..., n] = x / max(|x|, least) per row, with the Euclidean norm, in double. Attributes: real = least. */
pml_status pml_op_normalize(pml_context *context, const pml_tensor *x, double least, pml_tensor *y,
                            pml_error *error) PML_WARN_UNUSED;

/* ---- series: instance scaling and patches ------------------------------------------------------------------- */
typedef enum pml_instance_scaling {
    PML_INSTANCE_NONE,     /* loc 0, scale 1 */
    PML_INSTANCE_STD,      /* loc = mean, scale = sqrt(population variance + floor) */
    PML_INSTANCE_STD_LAST, /* loc = the last step, scale as STD, around the mean */
    PML_INSTANCE_LAST,     /* loc = the last step, scale 1 */
    PML_INSTANCE_MEAN      /* loc 0, scale = max(mean |x|, floor); a series without observations takes the mean over the
                              observations of its channel in the whole batch */
} pml_instance_scaling;

/* Statistics of each series of x [B, T, C] over its observed steps; `observed` [B, T, C] weighs the steps (0 or 1;
 * NULL: all 1). loc and scale are F64 [B, 1, C], computed in double, valid for the step. Attributes: real = floor,
 * integer[0] = kind. */
pml_status pml_op_instance_statistics(pml_context *context, const pml_tensor *x, const pml_tensor *observed,
                                      pml_instance_scaling kind, double floor, pml_tensor *loc, pml_tensor *scale,
                                      pml_error *error) PML_WARN_UNUSED;
/* What that takes of a step's storage. */
size_t pml_instance_bytes(size_t n_samples, size_t n_channels);
/* y = (x - loc) / scale for x [B, T, C], in double, rounded once. Unobserved steps are scaled like the others. A
 * gradient flows to x; loc and scale count as constants, here and on the way back, as their sources have them: either
 * they detach them, or the window that they are of is data, which nothing learns. */
pml_status pml_op_instance_normalize(pml_context *context, const pml_tensor *x, const pml_tensor *loc,
                                     const pml_tensor *scale, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;
/* y = x * scale + loc for x [B, S, C]. */
pml_status pml_op_instance_denormalize(pml_context *context, const pml_tensor *x, const pml_tensor *loc,
                                       const pml_tensor *scale, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

/* y [B, C, N, P]: N = (T - P) / stride + 1 windows of P steps of x [B, T, C], the last one ending with the series (the
 * first (T - P) % stride steps are in none). Attributes: integer = P, stride. */
pml_status pml_op_patchify(pml_context *context, const pml_tensor *x, size_t patch_length, size_t stride, pml_tensor *y,
                           pml_error *error) PML_WARN_UNUSED;

/* y [B, T + count, C] = x [B, T, C] with its last step repeated behind it. Attributes: integer[0] = count. */
pml_status pml_op_extend(pml_context *context, const pml_tensor *x, size_t count, pml_tensor *y,
                         pml_error *error) PML_WARN_UNUSED;

/* y [B, T, C] = mean over `kernel` steps around each step of x, kernel / 2 before it and (kernel - 1) / 2 behind it,
 * where the first and the last step stand for what lies outside; summed in double. Attributes: integer[0] = kernel. */
pml_status pml_op_moving_average(pml_context *context, const pml_tensor *x, size_t kernel, pml_tensor *y,
                                 pml_error *error) PML_WARN_UNUSED;
/* trend = the moving average of x, seasonal = x - trend. */
pml_status pml_op_decompose(pml_context *context, const pml_tensor *x, size_t kernel, pml_tensor *seasonal,
                            pml_tensor *trend, pml_error *error) PML_WARN_UNUSED;

/* y = x [..., N, P] where mask [..., N] is 0, `value` in the patches where it is not. Attributes: real = value. */
pml_status pml_op_patch_mask(pml_context *context, const pml_tensor *x, const pml_tensor *mask, float value,
                             pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

/* Tokens with positions: y [..., N, D] = x + position [N, D]; with `first` [D], y [..., N+1, D] begins with
 * first + position[0] and goes on with x + position[1..], position [N+1, D]. */
pml_status pml_op_tokens(pml_context *context, const pml_tensor *x, const pml_tensor *first, const pml_tensor *position,
                         pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

#endif
