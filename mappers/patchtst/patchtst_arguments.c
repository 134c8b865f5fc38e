/* PatchTST: which argument of each research code base says what, as data. */
#include "mappers/patchtst/patchtst_arguments.h"

#include <string.h>

#include "mappers/neuralforecast.h"

#define FIXED(name, value)                                                                                             \
    { .key = (name), .fallback = (value), .is_fixed = true }
#define ASKED(name, argument)                                                                                          \
    { .key = (name), .source = (argument), .must_ask = true, .from_tensors = true }
#define ASKED_FLAG(name, argument)                                                                                     \
    { .key = (name), .source = (argument), .must_ask = true, .from_tensors = true, .is_number = true }
#define CONSTANT(name, argument, value)                                                                                \
    {                                                                                                                  \
        .key = (name), .source = (argument), .fallback = (value), .from_tensors = true, .is_constant = true,           \
        .is_number = true                                                                                              \
    }
#define DEFAULT(name, argument, value)                                                                                 \
    { .key = (name), .source = (argument), .fallback = (value), .from_tensors = true, .is_number = true }
#define TRAINING(name, argument)                                                                                       \
    { .key = (name), .source = (argument) }
#define HEAD_PER_CHANNEL(argument)                                                                                     \
    {                                                                                                                  \
        .key = "share_projection", .source = (argument), .fallback = "true", .when = "head == 'prediction'",           \
        .from_tensors = true, .is_number = true, .is_inverted = true                                                   \
    }
#define SCALING(argument)                                                                                              \
    {                                                                                                                  \
        .key = "scaling", .source = (argument), .must_ask = true, .from_tensors = true,                                \
        .derive = pml_patchtst_derive_scaling                                                                          \
    }
#define ACTIVATION_WORDS "gelu=gelu|relu=relu"
#define NORM_WORDS "BatchNorm=batchnorm|LayerNorm=layernorm|batchnorm=batchnorm|layernorm=layernorm"

/* What no research code base has, or what its tensors alone say. */
#define COMMON                                                                                                         \
    FIXED("norm_eps", "1e-05"), FIXED("ffn_bias", "true"), FIXED("channel_attention", "false"),                        \
        FIXED("use_cls_token", "false"), FIXED("pooling", "none"), FIXED("distribution", "none"),                      \
        FIXED("mask_value", "0")
/* Of the code that descends from the official one. */
#define OFFICIAL_LAYERS                                                                                                \
    FIXED("normed_residual", "true"), FIXED("stored_attention_scale", "true"), {                                       \
        .key = "scalar_position", .from_tensors = true                                                                 \
    }

const pml_config_rule pml_patchtst_keys_supervised[] = {FIXED("head", "prediction"),
                                                        ASKED("num_input_channels", "enc_in"),
                                                        ASKED("context_length", "seq_len"),
                                                        ASKED("patch_length", "patch_len"),
                                                        ASKED("patch_stride", "stride"),
                                                        {.key = "padding",
                                                         .source = "padding_patch",
                                                         .words = "end=end|None=none|none=none|@null=none",
                                                         .must_ask = true,
                                                         .from_tensors = true},
                                                        FIXED("patch_alignment", "start"),
                                                        ASKED("num_hidden_layers", "e_layers"),
                                                        ASKED("d_model", "d_model"),
                                                        ASKED("num_attention_heads", "n_heads"),
                                                        ASKED("ffn_dim", "d_ff"),
                                                        {.key = "norm_type",
                                                         .source = "norm",
                                                         .words = NORM_WORDS,
                                                         .fallback = "batchnorm",
                                                         .from_tensors = true,
                                                         .is_constant = true},
                                                        CONSTANT("pre_norm", "pre_norm", "false"),
                                                        CONSTANT("residual_attention", "res_attention", "true"),
                                                        {.key = "activation",
                                                         .source = "act",
                                                         .words = ACTIVATION_WORDS,
                                                         .fallback = "gelu",
                                                         .is_open = true,
                                                         .is_constant = true},
                                                        FIXED("positional_encoding", "learned"),
                                                        SCALING("revin"),
                                                        {.key = "scaling_from_last",
                                                         .source = "subtract_last",
                                                         .when = "scaling == 'std'",
                                                         .must_ask = true,
                                                         .from_tensors = true,
                                                         .is_number = true,
                                                         .derive = pml_patchtst_derive_of_scaling},
                                                        {.key = "scaling_affine",
                                                         .source = "affine",
                                                         .fallback = "false",
                                                         .from_tensors = true,
                                                         .is_number = true,
                                                         .derive = pml_patchtst_derive_of_scaling},
                                                        {.key = "decomposition_kernel",
                                                         .source = "kernel_size",
                                                         .from_tensors = true,
                                                         .derive = pml_patchtst_derive_kernel},
                                                        FIXED("share_embedding", "true"),
                                                        HEAD_PER_CHANNEL("individual"),
                                                        ASKED("prediction_length", "pred_len"),
                                                        FIXED("num_targets", "1"),
                                                        FIXED("do_mask_input", "false"),
                                                        COMMON,
                                                        OFFICIAL_LAYERS,
                                                        TRAINING("attention_dropout", "attn_dropout"),
                                                        TRAINING("positional_dropout", "dropout"),
                                                        TRAINING("path_dropout", "dropout"),
                                                        TRAINING("ff_dropout", "dropout"),
                                                        TRAINING("head_dropout", "head_dropout"),
                                                        {.key = NULL}};

const pml_config_rule pml_patchtst_keys_self_supervised[] = {
    {.key = "head",
     .source = "head_type",
     .words = "pretrain=pretraining|prediction=prediction|regression=regression|classification=classification",
     .must_ask = true,
     .from_tensors = true},
    ASKED("num_input_channels", "c_in"),
    ASKED("context_length", "context_points"),
    ASKED("patch_length", "patch_len"),
    ASKED("patch_stride", "stride"),
    FIXED("patch_axes", "patches"),
    ASKED("num_hidden_layers", "n_layers"),
    ASKED("d_model", "d_model"),
    ASKED("num_attention_heads", "n_heads"),
    ASKED("ffn_dim", "d_ff"),
    {.key = "norm_type",
     .source = "norm",
     .words = NORM_WORDS,
     .fallback = "batchnorm",
     .from_tensors = true,
     .is_constant = true},
    CONSTANT("pre_norm", "pre_norm", "false"),
    CONSTANT("residual_attention", "res_attention", "false"),
    {.key = "activation",
     .source = "act",
     .words = ACTIVATION_WORDS,
     .fallback = "relu",
     .is_open = true,
     .is_constant = true},
    FIXED("positional_encoding", "learned"),
    SCALING("revin"),
    DEFAULT("share_embedding", "shared_embedding", "true"),
    HEAD_PER_CHANNEL("individual"),
    {.key = "prediction_length",
     .source = "target_points",
     .fallback = "1",
     .when = "head == 'prediction'",
     .from_tensors = true},
    {.key = "num_targets", .source = "target_points", .fallback = "1", .when = "is_pooled_head", .from_tensors = true},
    {.key = "output_range", .source = "y_range", .when = "head == 'regression'", .null_is_absent = true},
    {.key = "random_mask_ratio", .source = "mask_ratio", .when = "head == 'pretraining'"},
    COMMON,
    OFFICIAL_LAYERS,
    TRAINING("attention_dropout", "attn_dropout"),
    TRAINING("positional_dropout", "dropout"),
    TRAINING("path_dropout", "dropout"),
    TRAINING("ff_dropout", "dropout"),
    TRAINING("head_dropout", "head_dropout"),
    {.key = NULL}};

const pml_config_rule pml_patchtst_keys_library[] = {
    {.key = "head",
     .source = "task_name",
     .words = "long_term_forecast=prediction|short_term_forecast=prediction|classification=classification",
     .must_ask = true,
     .from_tensors = true,
     .is_open = true},
    ASKED("num_input_channels", "enc_in"),
    ASKED("context_length", "seq_len"),
    {.key = "patch_length", .must_ask = true, .from_tensors = true},
    CONSTANT("patch_stride", "stride", "8"),
    FIXED("padding", "end"),
    FIXED("patch_alignment", "start"),
    ASKED("num_hidden_layers", "e_layers"),
    ASKED("d_model", "d_model"),
    ASKED("num_attention_heads", "n_heads"),
    ASKED("ffn_dim", "d_ff"),
    FIXED("norm_type", "layernorm"),
    {.key = "final_norm", .source = "norm", .fallback = "none", .from_tensors = true},
    FIXED("pre_norm", "false"),
    {.key = "activation",
     .source = "activation",
     .words = ACTIVATION_WORDS,
     .must_ask = true,
     .from_tensors = true,
     .is_open = true},
    FIXED("positional_encoding", "sincos"),
    FIXED("no_embedding_bias", "true"),
    FIXED("scaling", "std"),
    FIXED("share_embedding", "true"),
    FIXED("share_projection", "true"),
    {.key = "prediction_length",
     .source = "pred_len",
     .fallback = "1",
     .when = "head == 'prediction'",
     .from_tensors = true},
    {.key = "num_targets", .source = "num_class", .fallback = "1", .when = "is_pooled_head", .from_tensors = true},
    FIXED("do_mask_input", "false"),
    COMMON,
    TRAINING("attention_dropout", "dropout"),
    TRAINING("positional_dropout", "dropout"),
    TRAINING("path_dropout", "dropout"),
    TRAINING("ff_dropout", "dropout"),
    TRAINING("head_dropout", "dropout"),
    {.key = NULL}};

const pml_config_rule pml_patchtst_keys_forecasting[] = {
    FIXED("head", "prediction"),
    FIXED("num_input_channels", "1"),
    ASKED("context_length", "input_size"),
    {.key = "patch_length", .must_ask = true, .from_tensors = true}, /* patch_len, but at most input_size + stride */
    DEFAULT("patch_stride", "stride", "8"),
    FIXED("padding", "end"),
    FIXED("patch_alignment", "start"),
    DEFAULT("num_hidden_layers", "encoder_layers", "3"),
    DEFAULT("d_model", "hidden_size", "128"),
    DEFAULT("num_attention_heads", "n_heads", "16"),
    DEFAULT("ffn_dim", "linear_hidden_size", "256"),
    {.key = "norm_type",
     .source = "norm",
     .words = NORM_WORDS,
     .fallback = "batchnorm",
     .from_tensors = true,
     .is_constant = true},
    DEFAULT("pre_norm", "batch_normalization", "false"),
    DEFAULT("residual_attention", "res_attention", "true"),
    {.key = "activation", .source = "activation", .words = ACTIVATION_WORDS, .fallback = "gelu", .is_open = true},
    FIXED("positional_encoding", "learned"),
    {.key = "scaling", .source = "revin", .fallback = "std", .derive = pml_patchtst_derive_scaling},
    {.key = "scaling_from_last",
     .source = "revin_subtract_last",
     .fallback = "true",
     .when = "scaling == 'std'",
     .is_number = true,
     .derive = pml_patchtst_derive_of_scaling},
    {.key = "scaling_affine",
     .source = "revin_affine",
     .fallback = "false",
     .from_tensors = true,
     .is_number = true,
     .derive = pml_patchtst_derive_of_scaling},
    FIXED("share_embedding", "true"),
    FIXED("share_projection", "true"),
    ASKED("prediction_length", "h"),
    FIXED("num_targets", "1"),
    FIXED("do_mask_input", "false"),
    PML_NEURALFORECAST_SCALER("identity"),
    COMMON,
    OFFICIAL_LAYERS,
    TRAINING("attention_dropout", "attn_dropout"),
    TRAINING("positional_dropout", "dropout"),
    TRAINING("path_dropout", "dropout"),
    TRAINING("ff_dropout", "dropout"),
    TRAINING("head_dropout", "head_dropout"),
    {.key = NULL}};

#define ARGUMENTS(name, list, by_name)                                                                                 \
    { .dialect = (name), .rules = (list), .n_rules = sizeof(list) / sizeof(list)[0], .has_settings = (by_name) }
static const pml_patchtst_arguments tables[] = {
    ARGUMENTS("official-supervised", pml_patchtst_keys_supervised, true),
    ARGUMENTS("official-self-supervised", pml_patchtst_keys_self_supervised, false),
    ARGUMENTS("tsl", pml_patchtst_keys_library, true),
    ARGUMENTS("neuralforecast", pml_patchtst_keys_forecasting, false)};

const pml_patchtst_arguments *pml_patchtst_arguments_of(const char *dialect) {
    size_t i = 0;
    while (i + 1 < sizeof tables / sizeof tables[0] && strcmp(tables[i].dialect, dialect) != 0) {
        i++;
    }
    return &tables[i];
}
