/* PatchTST (Nie et al. 2023, arXiv:2211.14730), as specs/models/patchtst.md describes it. Private to this folder and
 * runtime/models/patchtst.c. */
#ifndef PML_RUNTIME_MODELS_PATCHTST_PATCHTST_H
#define PML_RUNTIME_MODELS_PATCHTST_PATCHTST_H

#include "runtime/models/model.h"

typedef struct patchtst_linear {
    pml_tensor weight, bias;
    bool has_bias;
} patchtst_linear;

typedef struct patchtst_layer {
    patchtst_linear q, k, v, out, up, down;
    pml_norm norm1, norm2, norm3; /* norm2 only with channel attention */
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

typedef enum patchtst_pooling { PATCHTST_FLATTEN, PATCHTST_MEAN, PATCHTST_MAX } patchtst_pooling;

#define PATCHTST_MAX_ARGUMENTS 3u

typedef struct patchtst {
    size_t n_channels, context_length, patch_length, patch_stride, n_patches, n_tokens; /* C, T, P, -, N, tokens */
    size_t n_layers, d_model, n_heads, ffn_dim, horizon, n_targets;                     /* L, D, H, F, S, - */
    bool pre_norm, channel_attention, use_cls_token, do_mask_input, has_output_range;
    pml_norm_kind norm_kind;
    double norm_eps, mask_value, output_range[2];
    pml_activation activation;
    pml_instance_scaling scaling;
    patchtst_head head;
    patchtst_distribution distribution;
    patchtst_pooling pooling;
    size_t n_head_outputs; /* projections of the head: one per distribution argument */

    patchtst_linear embedding;
    pml_tensor position, cls_token;
    patchtst_layer *layers; /* in the model arena */
    patchtst_linear heads[PATCHTST_MAX_ARGUMENTS];

    pml_tensor loc, scale; /* F64 [B, 1, C] of the current run */
} patchtst;

/* patchtst_load.c */
pml_status pml_patchtst_load(pml_model *model, pml_error *error) PML_WARN_UNUSED;

/* patchtst_head.c: from the encoder's output h [b, C, tokens, D] to the outputs of this step. */
pml_status pml_patchtst_run_head(pml_model *model, const pml_model_step *step, const pml_tensor *h,
                                 pml_error *error) PML_WARN_UNUSED;
/* Bound of what it holds at a time for `n_samples` samples, h not included. */
size_t pml_patchtst_head_bytes(const patchtst *net, size_t n_samples);

#endif
