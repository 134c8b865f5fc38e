/* PatchTST (Nie et al. 2023, arXiv:2211.14730), as specs/models/patchtst.md describes it. Private to this folder and
 * runtime/models/patchtst.c. */
#ifndef PML_RUNTIME_MODELS_PATCHTST_PATCHTST_H
#define PML_RUNTIME_MODELS_PATCHTST_PATCHTST_H

#include "runtime/models/layers.h"

typedef struct patchtst_layer {
    pml_linear q, k, v, out, up, down;
    pml_norm norm1, norm2, norm3; /* norm2 only with channel attention */
    float attention_scale;        /* of q.k */
} patchtst_layer;

typedef enum patchtst_head {
    PATCHTST_HEAD_NONE,
    PATCHTST_HEAD_PREDICTION,
    PATCHTST_HEAD_PRETRAINING,
    PATCHTST_HEAD_CLASSIFICATION,
    PATCHTST_HEAD_REGRESSION
} patchtst_head;

typedef enum patchtst_distribution {
    PATCHTST_POINT, /* no distribution */
    PATCHTST_STUDENT_T,
    PATCHTST_NORMAL,
    PATCHTST_NEGATIVE_BINOMIAL
} patchtst_distribution;

typedef enum patchtst_pooling {
    PATCHTST_FLATTEN,
    PATCHTST_MEAN,
    PATCHTST_MAX,
    PATCHTST_LAST /* the last token alone */
} patchtst_pooling;

#define PATCHTST_MAX_ARGUMENTS 3u

/* The weights of one way from a window to an output. A decomposed window takes two, each for its part. */
typedef struct patchtst_network {
    pml_linear embedding;
    pml_tensor position, cls_token;
    pml_tensor position_numbers; /* [tokens, 1], of which `position` repeats each; dtype NONE: it is stored whole */
    patchtst_layer *layers;      /* in the model arena */
    pml_norm final_norm;         /* only if has_final_norm */
    pml_tensor scaling_weight, scaling_bias; /* [C], only if scaling_affine */
    pml_linear heads[PATCHTST_MAX_ARGUMENTS];
} patchtst_network;

/* Which patches pretraining hides. Lists are the metadata's. */
typedef struct patchtst_masking {
    double ratio;         /* share of every series' patches */
    const int64_t *last;  /* [n_last] instead: the last so many, a number for each sample */
    const int64_t *shown; /* [n_shown] channels that nothing is hidden of */
    size_t n_last, n_shown;
    bool is_same_for_channels;
} patchtst_masking;

typedef struct patchtst {
    size_t n_channels, context_length, patch_length, patch_stride, n_patches, n_tokens; /* C, T, P, -, N, tokens */
    size_t n_layers, d_model, n_heads, ffn_dim, horizon, n_targets;                     /* L, D, H, F, S, - */
    size_t n_padding, decomposition_kernel; /* steps repeated behind the window; 0: no decomposition */
    bool pre_norm, channel_attention, use_cls_token, do_mask_input, has_output_range;
    bool starts_aligned, patches_first, residual_attention, normed_residual, has_final_norm, scaling_affine;
    pml_norm_kind norm_kind;
    double norm_eps, mask_value, output_range[2];
    pml_activation activation;
    pml_instance_scaling scaling;
    patchtst_head head;
    patchtst_distribution distribution;
    patchtst_pooling pooling;
    size_t n_head_outputs; /* projections of the head: one per distribution argument */

    double attention_dropout, positional_dropout, path_dropout, ff_dropout, head_dropout;
    bool drops_attention_twice, drops_forecast; /* see the schema */
    patchtst_masking masking;
    pml_tensor ones; /* [1, D], only with position_numbers */

    patchtst_network networks[2]; /* the second, for the trend, only with decomposition */

    pml_tensor loc, scale; /* F64 [B, 1, C] of the current run, without decomposition */
    pml_tensor mask;       /* [B, C, N] that was drawn for it; dtype NONE: none was */
} patchtst;

/* patchtst_load.c */
pml_status pml_patchtst_load(pml_model *model, pml_error *error) PML_WARN_UNUSED;

/* What one network makes of the samples of a step: its window [b, T, C], and that window's statistics F64 [b, 1, C]. */
typedef struct patchtst_pass {
    const patchtst_network *network;
    pml_tensor x, loc, scale;
} patchtst_pass;

/* patchtst_encoder.c: h [b, C, tokens, D] of the pass. The workspace holds h alone beyond what it held before. */
pml_status pml_patchtst_encode(pml_model *model, const pml_model_step *step, const patchtst_pass *pass, pml_tensor *h,
                               pml_error *error) PML_WARN_UNUSED;
/* Bound of what it holds at a time for `n_samples` samples, h included. */
size_t pml_patchtst_encoder_bytes(const patchtst *net, size_t n_samples);

/* patchtst_mask.c: mask [n_samples, C, N] of what `drawn` (seed and step) hides, 1: hidden, valid for the step.
 * Errors: MEMORY. */
pml_status pml_patchtst_draw_mask(pml_context *context, const patchtst *net, const pml_training *drawn,
                                  size_t n_samples, pml_tensor *mask, pml_error *error) PML_WARN_UNUSED;

/* patchtst_head.c: from the encoder's output h [b, C, tokens, D] to the outputs of this step. A decomposed window's
 * part of the forecast goes to *forecast instead, [b, S, C] in the input's units. */
pml_status pml_patchtst_run_head(pml_model *model, const pml_model_step *step, const patchtst_pass *pass,
                                 const pml_tensor *h, pml_tensor *forecast, pml_error *error) PML_WARN_UNUSED;
/* Bound of what it holds at a time for `n_samples` samples, h not included. */
size_t pml_patchtst_head_bytes(const patchtst *net, size_t n_samples);

#endif
