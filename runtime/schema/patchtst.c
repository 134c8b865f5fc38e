/* PatchTST (Nie et al. 2023, arXiv:2211.14730): the series is cut into patches that become the tokens of a transformer
 * encoder, one sequence per channel. Described in specs/models/patchtst.md; names are frozen there. */
#include "runtime/schema/series_ports.h"

static const char *const variants[] = {"model-ci",
                                       "model-cd",
                                       "prediction-ci",
                                       "prediction-cd",
                                       "pretraining-ci",
                                       "pretraining-cd",
                                       "classification-ci",
                                       "classification-cd",
                                       "regression-ci",
                                       "regression-cd",
                                       NULL};

static const char *const known_repos[] = {
    "ibm-granite/granite-timeseries-patchtst",    "namctin/patchtst_etth1_forecast", "namctin/patchtst_etth1_pretrain",
    "ibm/patchtst-etth1-regression-distribution", "ibm-research/test-patchtst",      NULL};

#define INT_KEY(key, low, high, text)                                                                                  \
    { .name = (key), .type = PML_CONFIG_INT, .least = (low), .greatest = (high), .description = (text) }
#define BOOL_KEY(key, text)                                                                                            \
    { .name = (key), .type = PML_CONFIG_BOOL, .description = (text) }
#define CHOICE_KEY(key, list, text)                                                                                    \
    { .name = (key), .type = PML_CONFIG_CHOICE, .choices = (list), .description = (text) }
/* What other code bases than Hugging Face's do differently; absent from files that do not. */
#define RESEARCH_FLAG(key, text)                                                                                       \
    { .name = (key), .type = PML_CONFIG_BOOL, .optional = true, .description = (text), .absent = "false" }
#define RESEARCH_CHOICE(key, list, value, text)                                                                        \
    {                                                                                                                  \
        .name = (key), .type = PML_CONFIG_CHOICE, .choices = (list), .optional = true, .description = (text),          \
        .absent = (value)                                                                                              \
    }
#define DROPOUT_KEY(key, text)                                                                                         \
    { .name = (key), .type = PML_CONFIG_REAL, .least = 0, .greatest = 1, .optional = true, .description = (text) }

static const pml_config_key config[] = {
    CHOICE_KEY("head", "none|prediction|pretraining|classification|regression", "what the encoder's output is for"),
    INT_KEY("num_input_channels", 1, 1e6, "C, channels of the series"),
    INT_KEY("context_length", 2, 1e7, "T, look-back steps"),
    INT_KEY("patch_length", 1, 1e6, "P, steps per patch"),
    INT_KEY("patch_stride", 1, 1e6, "steps from one patch to the next"),
    INT_KEY("num_hidden_layers", 1, 1e4, "L, encoder layers"),
    INT_KEY("d_model", 1, 1e6, "D, model width"),
    INT_KEY("num_attention_heads", 1, 1e5, "H, attention heads"),
    INT_KEY("ffn_dim", 1, 1e7, "F, feed-forward width"),
    CHOICE_KEY("norm_type", "batchnorm|layernorm", "normalization of every sublayer"),
    {.name = "norm_eps", .type = PML_CONFIG_REAL, .least = 0, .greatest = 1, .description = "added to the variance"},
    BOOL_KEY("pre_norm", "normalize before a sublayer instead of after its residual"),
    CHOICE_KEY("activation", "gelu|gelu_tanh|relu|silu|tanh|sigmoid|identity",
               "of the feed-forward network; gelu is the exact error-function form"),
    BOOL_KEY("ffn_bias", "the feed-forward network has biases"),
    BOOL_KEY("channel_attention", "a second attention sublayer runs across channels"),
    BOOL_KEY("share_embedding", "one patch embedding for all channels"),
    BOOL_KEY("share_projection", "one prediction head for all channels"),
    BOOL_KEY("use_cls_token", "a learned token stands before the patches and feeds the head"),
    CHOICE_KEY("positional_encoding", "sincos|learned", "whether training moves the position table"),
    CHOICE_KEY("scaling", "std|mean|none", "how each window is normalized"),
    CHOICE_KEY("pooling", "none|mean|max", "how tokens are reduced for the head; none: flattened"),
    INT_KEY("prediction_length", 1, 1e6, "S, horizon"),
    INT_KEY("num_targets", 1, 1e6, "classes or regression targets"),
    CHOICE_KEY("distribution", "none|student_t|normal|negative_binomial", "what a prediction or regression head emits"),
    {.name = "output_range",
     .type = PML_CONFIG_REAL_LIST,
     .least = -1e300,
     .greatest = 1e300,
     .optional = true,
     .description = "regression outputs are squashed between these two",
     .n_elements = 2},
    BOOL_KEY("do_mask_input", "patches named by the mask input are overwritten"),
    {.name = "mask_type",
     .type = PML_CONFIG_CHOICE,
     .choices = "random|forecast",
     .optional = true,
     .description = "training: which patches pretraining hides"},
    {.name = "mask_value",
     .type = PML_CONFIG_REAL,
     .least = -1e30,
     .greatest = 1e30,
     .description = "what a hidden patch is filled with"},
    {.name = "random_mask_ratio",
     .type = PML_CONFIG_REAL,
     .least = 0,
     .greatest = 1,
     .optional = true,
     .description = "training: share of hidden patches"},
    {.name = "num_forecast_mask_patches",
     .type = PML_CONFIG_INT_LIST,
     .least = 1,
     .greatest = 1e6,
     .optional = true,
     .description = "training: numbers of last patches to hide"},
    {.name = "channel_consistent_masking",
     .type = PML_CONFIG_BOOL,
     .optional = true,
     .description = "training: all channels hide the same patches"},
    {.name = "unmasked_channel_indices",
     .type = PML_CONFIG_INT_LIST,
     .least = 0,
     .greatest = 1e6,
     .optional = true,
     .description = "training: channels that are never hidden"},
    RESEARCH_CHOICE("padding", "none|end", "none",
                    "end: the last value is repeated patch_stride times behind the window"),
    RESEARCH_CHOICE("patch_alignment", "end|start", "end", "where the patches that leave steps over begin or end"),
    RESEARCH_CHOICE("patch_axes", "channels|patches", "channels",
                    "which axis of masks and of patches as output comes first"),
    RESEARCH_CHOICE("final_norm", "none|batchnorm|layernorm", "none", "a norm after the last layer"),
    RESEARCH_FLAG("no_embedding_bias", "the patch embedding has no bias"),
    RESEARCH_FLAG("scalar_position", "the position table has one number per token, added to all features"),
    RESEARCH_FLAG("residual_attention", "each layer adds the attention scores of the layer before to its own"),
    RESEARCH_FLAG("normed_residual", "pre_norm: the residual carries the normalized value"),
    RESEARCH_FLAG("stored_attention_scale", "the factor of the attention scores is a stored weight"),
    RESEARCH_FLAG("scaling_from_last", "scaling std: the last value is subtracted instead of the mean"),
    RESEARCH_FLAG("last_token_head", "the head reads the last token alone"),
    RESEARCH_FLAG("scaling_affine", "normalized windows pass a learned scale and shift per channel, and back"),
    {.name = "decomposition_kernel",
     .type = PML_CONFIG_INT,
     .least = 0,
     .greatest = 1e6,
     .optional = true,
     .description = "above 0: a moving average of so many steps and the remainder go through a network each",
     .absent = "0"},
    DROPOUT_KEY("attention_dropout", "training: of attention weights"),
    DROPOUT_KEY("positional_dropout", "training: of embedded patches"),
    DROPOUT_KEY("path_dropout", "training: of sublayer outputs"),
    DROPOUT_KEY("ff_dropout", "training: inside the feed-forward network"),
    DROPOUT_KEY("head_dropout", "training: before the head"),
    {.name = "init_std",
     .type = PML_CONFIG_REAL,
     .least = 0,
     .greatest = 1e6,
     .optional = true,
     .description = "training: deviation of fresh weights"},
    PML_WINDOW_SCALER_KEY,
    {.name = NULL}};

static const pml_derived_number derived[] = {
    {"n_patches", "(context_length + (padding == 'end' ? patch_stride : 0) - patch_length) / patch_stride + 1"},
    {"n_tokens", "n_patches + use_cls_token"},
    {"is_flattened", "pooling == 'none' && !use_cls_token && !last_token_head"},
    {"is_pooled_head", "head == 'classification' || head == 'regression'"},
    {"token_features", "is_flattened ? n_patches * d_model : d_model"},
    {"head_in", "is_pooled_head ? num_input_channels * token_features"
                " : head == 'prediction' ? token_features : d_model"},
    {"head_out", "is_pooled_head ? num_targets : head == 'prediction' ? prediction_length : patch_length"},
    {"n_head_outputs", "head == 'none' ? 0 : distribution == 'student_t' ? 3 : distribution == 'none' ? 1 : 2"},
    {"is_head_per_channel", "head == 'prediction' && !share_projection"},
    {"is_research", "patch_alignment == 'start' || patch_axes == 'patches'"},
    /* Of training: the official layers drop an attention's result twice, and research code for forecasting drops what
     * the head gives, not what it gets; self-supervised code does so for a head per channel alone. */
    {"drops_attention_twice", "is_research && final_norm == 'none'"},
    {"drops_forecast", "head == 'prediction' && (patch_alignment == 'start' || (is_research && !share_projection))"},
    {"has_trend", "decomposition_kernel > 0"},
    {"n_trend_layers", "has_trend ? num_hidden_layers : 0"},
    {"n_trend_outputs", "has_trend ? n_head_outputs : 0"},
    {NULL, NULL}};

static const pml_config_constraint constraints[] = {
    {"context_length > patch_length || (is_research && n_patches > 0 && context_length + patch_stride >= patch_length)",
     "context_length must be greater than patch_length"},
    {"d_model % num_attention_heads == 0", "d_model must be a multiple of num_attention_heads"},
    {"!(is_pooled_head && is_flattened) || is_research",
     "a classification or regression head needs pooling mean or max, or use_cls_token"},
    {"decomposition_kernel % 2 == 1 || !has_trend", "decomposition_kernel must be odd"},
    {"!has_trend || (head == 'prediction' && distribution == 'none' && scaling != 'mean')",
     "decomposition_kernel is for a prediction head without distribution and for scaling std or none"},
    {"!scaling_from_last || scaling == 'std'", "scaling_from_last is for scaling std"},
    {"!last_token_head || (pooling == 'none' && !use_cls_token)", "last_token_head excludes pooling and use_cls_token"},
    {"!(use_cls_token && scalar_position)", "scalar_position excludes use_cls_token"},
    {"distribution == 'none' || head == 'prediction' || head == 'regression'",
     "distribution must be none unless head is prediction or regression"},
    {"head != 'pretraining' || do_mask_input", "do_mask_input must be true when head is pretraining"},
    {NULL, NULL}};

#define LINEAR(prefix, part, in, out, n)                                                                               \
    {prefix "encoder.layer.{l}." part ".weight", PML_ROLE_MATRIX, in ", " out, n, NULL}, {                             \
        prefix "encoder.layer.{l}." part ".bias", PML_ROLE_VECTOR, out, n, NULL                                        \
    }
#define NORM(prefix, part, n, condition)                                                                               \
    {prefix "encoder.layer.{l}." part ".weight", PML_ROLE_VECTOR, "d_model", n, condition},                            \
        {prefix "encoder.layer.{l}." part ".bias", PML_ROLE_VECTOR, "d_model", n, condition},                          \
        {prefix "encoder.layer.{l}." part ".mean", PML_ROLE_VECTOR, "d_model", n,                                      \
         condition " && norm_type == 'batchnorm'"},                                                                    \
    {                                                                                                                  \
        prefix "encoder.layer.{l}." part ".var", PML_ROLE_VECTOR, "d_model", n,                                        \
            condition " && norm_type == 'batchnorm'"                                                                   \
    }
/* One network: `exists` is a condition, `n` and `n_outputs` count its layers and its head's projections. */
#define NETWORK(prefix, exists, n, n_outputs)                                                                          \
    {prefix "patch_embedding.weight", PML_ROLE_MATRIX, "patch_length, d_model", NULL, exists " && share_embedding"},   \
        {prefix "patch_embedding.weight", PML_ROLE_MATRIX, "num_input_channels, patch_length, d_model", NULL,          \
         exists " && !share_embedding"},                                                                               \
        {prefix "patch_embedding.bias", PML_ROLE_VECTOR, "d_model", NULL,                                              \
         exists " && share_embedding && !no_embedding_bias"},                                                          \
        {prefix "patch_embedding.bias", PML_ROLE_VECTOR, "num_input_channels, d_model", NULL,                          \
         exists " && !share_embedding && !no_embedding_bias"},                                                         \
        {prefix "position", PML_ROLE_TABLE, "n_tokens, scalar_position ? 1 : d_model", NULL, exists},                  \
        {prefix "cls_token", PML_ROLE_VECTOR, "d_model", NULL, exists " && use_cls_token"},                            \
        LINEAR(prefix, "attention.q", "d_model", "d_model", n),                                                        \
        LINEAR(prefix, "attention.k", "d_model", "d_model", n),                                                        \
        LINEAR(prefix, "attention.v", "d_model", "d_model", n),                                                        \
        LINEAR(prefix, "attention.out", "d_model", "d_model", n),                                                      \
        {prefix "encoder.layer.{l}.attention.scale", PML_ROLE_VECTOR, "1", n, "stored_attention_scale"},               \
        NORM(prefix, "norm1", n, "1"), NORM(prefix, "norm2", n, "channel_attention"),                                  \
        {prefix "encoder.layer.{l}.ffn.up.weight", PML_ROLE_MATRIX, "d_model, ffn_dim", n, NULL},                      \
        {prefix "encoder.layer.{l}.ffn.up.bias", PML_ROLE_VECTOR, "ffn_dim", n, "ffn_bias"},                           \
        {prefix "encoder.layer.{l}.ffn.down.weight", PML_ROLE_MATRIX, "ffn_dim, d_model", n, NULL},                    \
        {prefix "encoder.layer.{l}.ffn.down.bias", PML_ROLE_VECTOR, "d_model", n, "ffn_bias"},                         \
        NORM(prefix, "norm3", n, "1"),                                                                                 \
        {prefix "encoder.norm.weight", PML_ROLE_VECTOR, "d_model", NULL, exists " && final_norm != 'none'"},           \
        {prefix "encoder.norm.bias", PML_ROLE_VECTOR, "d_model", NULL, exists " && final_norm != 'none'"},             \
        {prefix "encoder.norm.mean", PML_ROLE_VECTOR, "d_model", NULL, exists " && final_norm == 'batchnorm'"},        \
        {prefix "encoder.norm.var", PML_ROLE_VECTOR, "d_model", NULL, exists " && final_norm == 'batchnorm'"},         \
        {prefix "scaling.weight", PML_ROLE_VECTOR, "num_input_channels", NULL, exists " && scaling_affine"},           \
        {prefix "scaling.bias", PML_ROLE_VECTOR, "num_input_channels", NULL, exists " && scaling_affine"},             \
        {prefix "head.{l}.weight", PML_ROLE_MATRIX, "head_in, head_out", n_outputs, "!is_head_per_channel"},           \
        {prefix "head.{l}.weight", PML_ROLE_MATRIX, "num_input_channels, head_in, head_out", n_outputs,                \
         "is_head_per_channel"},                                                                                       \
        {prefix "head.{l}.bias", PML_ROLE_VECTOR, "head_out", n_outputs, "!is_head_per_channel"}, {                    \
        prefix "head.{l}.bias", PML_ROLE_VECTOR, "num_input_channels, head_out", n_outputs, "is_head_per_channel"      \
    }

static const pml_weight_spec weights[] = {NETWORK("", "1", "num_hidden_layers", "n_head_outputs"),
                                          NETWORK("trend.", "has_trend", "n_trend_layers", "n_trend_outputs"),
                                          {NULL, 0, NULL, NULL, NULL}};

static const pml_port_spec inputs[] = {
    {"past_values", "B, context_length, num_input_channels", false, NULL, "the look-back window"},
    {"past_observed_mask", "B, context_length, num_input_channels", true, "!is_research", "1 observed, 0 missing"},
    {"mask", "B, num_input_channels, n_patches", true, "do_mask_input && patch_axes == 'channels'",
     "1: the patch is hidden from the encoder"},
    {"mask", "B, n_patches, num_input_channels", true, "do_mask_input && patch_axes == 'patches'",
     "1: the patch is hidden from the encoder"},
    {NULL, NULL, false, NULL, NULL}};

#define DISTRIBUTION(family) "head == '" family "' && distribution != 'none'"
#define STUDENT_T(family) "head == '" family "' && distribution == 'student_t'"

static const pml_port_spec outputs[] = {
    {"last_hidden_state", "B, num_input_channels, n_tokens, d_model", false, "head == 'none'", "encoder output"},
    {"patch_input", "B, num_input_channels, n_patches, patch_length", false,
     "head == 'none' || (head == 'pretraining' && patch_axes == 'channels')", "normalized patches"},
    {"patch_input", "B, n_patches, num_input_channels, patch_length", false,
     "head != 'none' && patch_axes == 'patches'", "normalized patches"},
    {"scaled_outputs", "B, prediction_length, num_input_channels", false,
     "head == 'prediction' && patch_axes == 'patches'", "the forecast in the normalized space"},
    {"prediction_outputs", "B, prediction_length, num_input_channels", false,
     "head == 'prediction' && distribution == 'none'", "the forecast, in the input's units"},
    {"df", "B, prediction_length, num_input_channels", false, STUDENT_T("prediction"), "degrees of freedom"},
    {"dist_loc", "B, prediction_length, num_input_channels", false, DISTRIBUTION("prediction"),
     "location (negative binomial: total count), in the normalized space"},
    {"dist_scale", "B, prediction_length, num_input_channels", false, DISTRIBUTION("prediction"),
     "scale (negative binomial: logits), in the normalized space"},
    {"forecast", "B, prediction_length, num_input_channels", true, DISTRIBUTION("prediction"),
     "mean of the distribution, in the input's units"},
    {"loc", "B, 1, num_input_channels", false, "head == 'none' || (head == 'prediction' && !has_trend)",
     "window location"},
    {"scale", "B, 1, num_input_channels", false, "head == 'none' || (head == 'prediction' && !has_trend)",
     "window scale"},
    {"prediction_output", "B, num_input_channels, n_patches, patch_length", false,
     "head == 'pretraining' && patch_axes == 'channels'", "reconstructed patches, normalized"},
    {"prediction_output", "B, n_patches, num_input_channels, patch_length", false,
     "head == 'pretraining' && patch_axes == 'patches'", "reconstructed patches, normalized"},
    {"mask", "B, num_input_channels, n_patches", false, "head == 'pretraining' && patch_axes == 'channels'",
     "1: the patch was hidden"},
    {"mask", "B, n_patches, num_input_channels", false, "head == 'pretraining' && patch_axes == 'patches'",
     "1: the patch was hidden"},
    {"prediction_logits", "B, num_targets", false, "head == 'classification'", "class scores"},
    {"regression_outputs", "B, num_targets", false, "head == 'regression' && distribution == 'none'", "targets"},
    {"df", "B, num_targets", false, STUDENT_T("regression"), "degrees of freedom"},
    {"dist_loc", "B, num_targets", false, DISTRIBUTION("regression"), "location (negative binomial: total count)"},
    {"dist_scale", "B, num_targets", false, DISTRIBUTION("regression"), "scale (negative binomial: logits)"},
    {NULL, NULL, false, NULL, NULL}};

/* The research code's names. */
static const pml_port_alias aliases[] = {
    {"x", "past_values"},       {"x_enc", "past_values"},   {"y", "prediction_outputs"},
    {"y", "prediction_output"}, {"y", "prediction_logits"}, {"y", "regression_outputs"},
    {"patches", "patch_input"}, {"raw", "scaled_outputs"},  {NULL, NULL}};

static const char *const forecast_outputs[] = {"prediction_outputs", "forecast", NULL};
/* A learned scale per channel (scaling_affine) would come between the distribution and the window's units. */
static const pml_distribution_spec distribution = {
    .key = "distribution",
    .when = "head == 'prediction' && distribution != 'none' && !scaling_affine",
    .df = "df",
    .location = "dist_loc",
    .scale = "dist_scale",
    .window_location = "loc",
    .window_scale = "scale"};
static const pml_forecast_spec forecast = {.input = "past_values",
                                           .observed_mask = "past_observed_mask",
                                           .outputs = forecast_outputs,
                                           .context_length = "context_length",
                                           .horizon = "prediction_length",
                                           .n_channels = "num_input_channels",
                                           .when = "head == 'prediction'",
                                           .distribution = &distribution};

/* Layers begin as those of Hugging Face do, research code's as its own do: as PyTorch's. */
#define HUGGING_FACE "!is_research"
#define NORMAL "normal:std={init_std}"
static const pml_fresh_spec fresh = {
    .dialect = "hf",
    .other = "official-supervised",
    .other_when = "is_research",
    .keys = (const pml_fresh_key[]){{"head", "prediction", NULL},
                                    {"num_input_channels", "@channels", NULL},
                                    {"context_length", "336", NULL},
                                    {"patch_length", "16", NULL},
                                    {"patch_stride", "8", NULL},
                                    {"num_hidden_layers", "3", NULL},
                                    {"d_model", "128", NULL},
                                    {"num_attention_heads", "16", NULL},
                                    {"ffn_dim", "2 * d_model", NULL},
                                    {"norm_type", "batchnorm", NULL},
                                    {"norm_eps", "0.00001", NULL},
                                    {"pre_norm", HUGGING_FACE, NULL},
                                    {"activation", "gelu", NULL},
                                    {"ffn_bias", "1", NULL},
                                    {"channel_attention", "0", NULL},
                                    {"share_embedding", "1", NULL},
                                    {"share_projection", "1", NULL},
                                    {"use_cls_token", "0", NULL},
                                    {"positional_encoding", "sincos", HUGGING_FACE},
                                    {"positional_encoding", "learned", "is_research"},
                                    {"stored_attention_scale", "1", "is_research"},
                                    {"scaling", "std", NULL},
                                    {"pooling", "mean", "head != 'prediction'"},
                                    {"pooling", "none", "head == 'prediction'"},
                                    {"prediction_length", "96", NULL},
                                    {"num_targets", "1", NULL},
                                    {"distribution", "none", NULL},
                                    {"do_mask_input", "head == 'pretraining'", NULL},
                                    {"mask_type", "random", "head == 'pretraining'"},
                                    {"random_mask_ratio", "0.4", "head == 'pretraining'"},
                                    {"mask_value", "0", NULL},
                                    {"scaling_from_last", "0", "is_research"},
                                    {"scaling_affine", "0", "is_research"},
                                    {"attention_dropout", "0", HUGGING_FACE},
                                    {"head_dropout", "0", NULL},
                                    {"positional_dropout", "0.2", NULL},
                                    {"path_dropout", "0.2", NULL},
                                    {"ff_dropout", "0.2", NULL},
                                    {"init_std", "0.02", HUGGING_FACE},
                                    {NULL, NULL, NULL}},
    .weights = (const pml_fresh_weight[]){
        {"*attention.scale", NULL, "ones", "d_model / num_attention_heads"},
        {"*position", "positional_encoding == 'sincos' && final_norm != 'none'", "sines", NULL},
        {"*position", "positional_encoding == 'sincos'", "sines:centred=true", NULL},
        {"*position", "is_research", "uniform:min=-0.02,max=0.02", NULL},
        {"*position", NULL, "normal", NULL},
        {"*cls_token", NULL, NORMAL, NULL},
        {"*norm*", NULL, NULL, NULL},
        {"*scaling*", NULL, NULL, NULL},
        {"*.weight", HUGGING_FACE, NORMAL, NULL},
        {"*.bias", HUGGING_FACE, "zeros", NULL},
        {NULL, NULL, NULL, NULL}}};

extern const pml_schema pml_schema_patchtst;
const pml_schema pml_schema_patchtst = {
    .name = "patchtst",
    .architecture = "PatchTST: transformer encoder over patches of each channel, for forecasting and representation",
    .variants = variants,
    .known_repos = known_repos,
    .config = config,
    .constraints = constraints,
    .weights = weights,
    .inputs = inputs,
    .outputs = outputs,
    .forecast = &forecast,
    .state = NULL,
    .derived = derived,
    .aliases = aliases,
    .fixed = (const pml_fixed_spec[]){{"*.mean", NULL},
                                      {"*.var", NULL},
                                      {"*.attention.scale", NULL},
                                      {"*position", "positional_encoding == 'sincos'"},
                                      {NULL, NULL}},
    .fresh = &fresh,
};
