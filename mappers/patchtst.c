/* PatchTST: which code base's names a checkpoint uses, and where each tensor goes (specs/models/patchtst.md).
 *
 * Every dialect is a value of the `dialect` column. The same shapes mean other computations in each of them, so what
 * each one's networks do goes into the configuration. */
#include <string.h>

#include "mappers/mapping.h"
#include "mappers/neuralforecast.h"
#include "mappers/patchtst/patchtst_config.h"
#include "mappers/patchtst/patchtst_dialects.h"
#include "mappers/patchtst/patchtst_names.h"
#include "mappers/refusal.h"

#define HF "hf"
#define TSL "tsl"
#define ENCODER PML_PATCHTST_ENCODER
#define LAYER ENCODER "layers.{l}."
#define COUNTER "counts training batches; nothing computes with it"

/* A torch Linear: weight [out,in], bias [out]. */
#define LINEAR_WHEN(from, to, when)                                                                                    \
    {HF, from ".weight", to ".weight", "transpose", when, NULL}, {                                                     \
        HF, from ".bias", to ".bias", "", when, NULL                                                                   \
    }
#define LINEAR(from, to) LINEAR_WHEN(from, to, NULL)
#define STACKED(from, to, when)                                                                                        \
    {HF, from ".weight", to ".weight", "transpose;stack(c)", when, NULL}, {                                            \
        HF, from ".bias", to ".bias", "stack(c)", when, NULL                                                           \
    }
#define BATCH "norm_type == 'batchnorm'"
#define LAYERED "norm_type == 'layernorm'"
#define SHARED "!is_head_per_channel && distribution == 'none' && head != 'pretraining' && head != 'classification'"
#define SHARED_OUTPUTS "!is_head_per_channel && distribution != 'none'"
#define SINGLE "is_head_per_channel && distribution == 'none'"
#define SINGLE_OUTPUTS "is_head_per_channel && distribution != 'none'"
/* LayerNorm, or BatchNorm1d one module deeper. */
#define HF_NORM(n, from, to, when)                                                                                     \
    { HF, LAYER "norm_sublayer" n from, "encoder.layer.{l}.norm" n to, "", when, NULL }
#define NORM(n)                                                                                                        \
    HF_NORM(n, ".weight", ".weight", LAYERED), HF_NORM(n, ".bias", ".bias", LAYERED),                                  \
        HF_NORM(n, ".batchnorm.weight", ".weight", BATCH), HF_NORM(n, ".batchnorm.bias", ".bias", BATCH),              \
        HF_NORM(n, ".batchnorm.running_mean", ".mean", BATCH), HF_NORM(n, ".batchnorm.running_var", ".var", BATCH), {  \
        HF, LAYER "norm_sublayer" n ".batchnorm.num_batches_tracked", NULL, NULL, NULL, COUNTER                        \
    }

/* The official code's names, of one network: dialect, what stands before them, what before the canonical names, when
 * that network is there. */
#define AS_IS_WHEN(d, from, to, when)                                                                                  \
    { d, from, to, "", when, NULL }
#define AS_IS(d, from, to) AS_IS_WHEN(d, from, to, NULL)
#define TURNED_WHEN(d, from, to, when)                                                                                 \
    {d, from ".weight", to ".weight", "transpose", when, NULL}, {                                                      \
        d, from ".bias", to ".bias", "", when, NULL                                                                    \
    }
#define TURNED(d, from, to) TURNED_WHEN(d, from, to, NULL)
#define NORM_OF(d, from, to, when)                                                                                     \
    AS_IS_WHEN(d, from ".weight", to ".weight", when), AS_IS_WHEN(d, from ".bias", to ".bias", when),                  \
        AS_IS_WHEN(d, from ".running_mean", to ".mean", when), AS_IS_WHEN(d, from ".running_var", to ".var", when), {  \
        d, from ".num_batches_tracked", NULL, NULL, NULL, COUNTER                                                      \
    }
#define LAYER_NORM_OF(d, from, to, when)                                                                               \
    AS_IS_WHEN(d, from ".weight", to ".weight", when), AS_IS_WHEN(d, from ".bias", to ".bias", when)
/* Columns d*N + n of a flattened head become rows n*D + d. */
#define HEAD_ROWS "reshape({head_out},{d_model},{n_patches});permute(2,1,0);reshape({head_in},{head_out})"
#define OFFICIAL(d, from, to, when)                                                                                    \
    TURNED_WHEN(d, from "backbone.W_P", to "patch_embedding", when " && share_embedding"),                             \
        {d,                                                                                                            \
         from "backbone.W_P.{c}.weight",                                                                               \
         to "patch_embedding.weight",                                                                                  \
         "transpose;stack(c)",                                                                                         \
         when " && !share_embedding",                                                                                  \
         NULL},                                                                                                        \
        {d, from "backbone.W_P.{c}.bias", to "patch_embedding.bias", "stack(c)", when " && !share_embedding", NULL},   \
        AS_IS_WHEN(d, from "backbone.W_pos", to "position", when),                                                     \
        TURNED_WHEN(d, from "backbone.encoder.layers.{l}.self_attn.W_Q", to "encoder.layer.{l}.attention.q", when),    \
        TURNED_WHEN(d, from "backbone.encoder.layers.{l}.self_attn.W_K", to "encoder.layer.{l}.attention.k", when),    \
        TURNED_WHEN(d, from "backbone.encoder.layers.{l}.self_attn.W_V", to "encoder.layer.{l}.attention.v", when),    \
        TURNED_WHEN(d, from "backbone.encoder.layers.{l}.self_attn.to_out.0", to "encoder.layer.{l}.attention.out",    \
                    when),                                                                                             \
        {d, from PML_PATCHTST_SCALE, to "encoder.layer.{l}.attention.scale", "reshape(1)", when, NULL},                \
        NORM_OF(d, from "backbone.encoder.layers.{l}.norm_attn.1", to "encoder.layer.{l}.norm1", when " && " BATCH),   \
        LAYER_NORM_OF(d, from "backbone.encoder.layers.{l}.norm_attn", to "encoder.layer.{l}.norm1",                   \
                      when " && " LAYERED),                                                                            \
        TURNED_WHEN(d, from "backbone.encoder.layers.{l}.ff.0", to "encoder.layer.{l}.ffn.up", when),                  \
        TURNED_WHEN(d, from "backbone.encoder.layers.{l}.ff.3", to "encoder.layer.{l}.ffn.down", when),                \
        NORM_OF(d, from "backbone.encoder.layers.{l}.norm_ffn.1", to "encoder.layer.{l}.norm3", when " && " BATCH),    \
        LAYER_NORM_OF(d, from "backbone.encoder.layers.{l}.norm_ffn", to "encoder.layer.{l}.norm3",                    \
                      when " && " LAYERED),                                                                            \
        AS_IS_WHEN(d, from "revin_layer.affine_weight", to "scaling.weight", when),                                    \
        AS_IS_WHEN(d, from "revin_layer.affine_bias", to "scaling.bias", when),                                        \
        {d,                                                                                                            \
         from PML_PATCHTST_HEAD,                                                                                       \
         to "head.0.weight",                                                                                           \
         HEAD_ROWS,                                                                                                    \
         when " && head == 'prediction' && !is_head_per_channel",                                                      \
         NULL},                                                                                                        \
        {d, from PML_PATCHTST_HEAD, to "head.0.weight", "transpose", when " && head != 'prediction'", NULL},           \
        AS_IS_WHEN(d, from "head.linear.bias", to "head.0.bias", when " && !is_head_per_channel"),                     \
        {d, from PML_PATCHTST_HEADS, to "head.0.weight", HEAD_ROWS ";stack(c)", when " && is_head_per_channel", NULL}, \
    {                                                                                                                  \
        d, from "head.linears.{c}.bias", to "head.0.bias", "stack(c)", when " && is_head_per_channel", NULL            \
    }

#define TSL_LAYER PML_PATCHTST_TSL_LAYER

static const pml_map_rule rules[] = {
    LINEAR_WHEN(ENCODER "embedder.input_embedding", "patch_embedding", "share_embedding"),
    STACKED(ENCODER "embedder.input_embedding.{c}", "patch_embedding", "!share_embedding"),
    {HF, ENCODER "positional_encoder.position_enc", "position", "", NULL, NULL},
    {HF, PML_PATCHTST_CLS, "cls_token", "reshape(-1)", NULL, NULL},
    LINEAR(LAYER "self_attn.q_proj", "encoder.layer.{l}.attention.q"),
    LINEAR(LAYER "self_attn.k_proj", "encoder.layer.{l}.attention.k"),
    LINEAR(LAYER "self_attn.v_proj", "encoder.layer.{l}.attention.v"),
    LINEAR(LAYER "self_attn.out_proj", "encoder.layer.{l}.attention.out"),
    NORM("1"),
    NORM("2"),
    LINEAR(LAYER "ff.0", "encoder.layer.{l}.ffn.up"),
    LINEAR(LAYER "ff.3", "encoder.layer.{l}.ffn.down"),
    NORM("3"),
    LINEAR_WHEN("head.projection", "head.0", SHARED),
    LINEAR_WHEN("head.projection.proj.{k}", "head.{k}", SHARED_OUTPUTS),
    STACKED("head.projections.{c}", "head.0", SINGLE),
    STACKED("head.projections.{c}.proj.{k}", "head.{k}", SINGLE_OUTPUTS),
    LINEAR_WHEN("head.linear", "head.0", "head == 'pretraining' || head == 'classification'"),
    OFFICIAL("official-supervised", "model.", "", "!has_trend"),
    OFFICIAL("official-supervised", "model_res.", "", "has_trend"),
    OFFICIAL("official-supervised", "model_trend.", "trend.", "has_trend"),
    OFFICIAL("official-self-supervised", "", "", "1"),
    OFFICIAL("neuralforecast", "model.", "", "1"),
    PML_NEURALFORECAST_DROPPED,
    {TSL, "patch_embedding.value_embedding.weight", "patch_embedding.weight", "transpose", NULL, NULL},
    {TSL, PML_PATCHTST_TABLE, "position", "reshape(-1,{d_model});narrow(0,0,{n_patches})", NULL, NULL},
    TURNED(TSL, TSL_LAYER "attention.query_projection", "encoder.layer.{l}.attention.q"),
    TURNED(TSL, TSL_LAYER "attention.key_projection", "encoder.layer.{l}.attention.k"),
    TURNED(TSL, TSL_LAYER "attention.value_projection", "encoder.layer.{l}.attention.v"),
    TURNED(TSL, TSL_LAYER "attention.out_projection", "encoder.layer.{l}.attention.out"),
    NORM_OF(TSL, TSL_LAYER "norm1", "encoder.layer.{l}.norm1", NULL),
    {TSL, PML_PATCHTST_UP, "encoder.layer.{l}.ffn.up.weight", "reshape({ffn_dim},{d_model});transpose", NULL, NULL},
    AS_IS(TSL, TSL_LAYER "conv1.bias", "encoder.layer.{l}.ffn.up.bias"),
    {TSL, PML_PATCHTST_DOWN, "encoder.layer.{l}.ffn.down.weight", "reshape({d_model},{ffn_dim});transpose", NULL, NULL},
    AS_IS(TSL, TSL_LAYER "conv2.bias", "encoder.layer.{l}.ffn.down.bias"),
    NORM_OF(TSL, TSL_LAYER "norm2", "encoder.layer.{l}.norm3", NULL),
    NORM_OF(TSL, "encoder.norm.1", "encoder.norm", "final_norm == 'batchnorm'"),
    LAYER_NORM_OF(TSL, "encoder.norm", "encoder.norm", "final_norm == 'layernorm'"),
    {TSL, PML_PATCHTST_HEAD, "head.0.weight", HEAD_ROWS, "head == 'prediction'", NULL},
    AS_IS_WHEN(TSL, "head.linear.bias", "head.0.bias", "head == 'prediction'"),
    /* Columns c*D*N + d*N + n become rows (c*N + n)*D + d. */
    {TSL, PML_PATCHTST_PROJECTION, "head.0.weight",
     "reshape({num_targets},{num_input_channels},{d_model},{n_patches});permute(1,3,2,0);"
     "reshape({head_in},{num_targets})",
     "head == 'classification'", NULL},
    AS_IS_WHEN(TSL, "projection.bias", "head.0.bias", "head == 'classification'"),
    {NULL, NULL, NULL, NULL, NULL, NULL}};

/* Without these no PatchTST computes, whatever its head and norm. */
static const char *const witnesses[] = {"patch_embedding.weight",
                                        "position",
                                        "encoder.layer.0.attention.q.weight",
                                        "encoder.layer.0.attention.k.weight",
                                        "encoder.layer.0.attention.v.weight",
                                        "encoder.layer.0.attention.out.weight",
                                        "encoder.layer.0.ffn.up.weight",
                                        "encoder.layer.0.ffn.down.weight",
                                        "encoder.layer.0.norm1.weight",
                                        "encoder.layer.0.norm3.weight",
                                        NULL};

static const struct {
    const char *name;
    pml_status (*config)(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                         pml_error *error);
} dialects[] = {{HF, pml_patchtst_config_hf},
                {"official-supervised", pml_patchtst_config_research},
                {"official-self-supervised", pml_patchtst_config_research},
                {TSL, pml_patchtst_config_research},
                {"neuralforecast", pml_patchtst_config_research}};
static const size_t n_dialects = sizeof dialects / sizeof dialects[0];

static const char *const class_names[] = {"PatchTST", NULL};

static pml_status detect(const pml_map_source *source, pml_detection *d, pml_error *error) {
    pml_status status = PML_OK;
    pml_fit best = {.dialect = HF};
    for (size_t i = 0; i < n_dialects; i++) {
        pml_fit other;
        PML_TRY(pml_fit_measure(source, d->mapper, dialects[i].name, &other, error));
        /* All encoders of that library share the names of their layers; patches are what makes one a PatchTST. */
        if (strcmp(dialects[i].name, TSL) == 0 && other.absent != NULL && strcmp(other.absent, witnesses[0]) == 0) {
            other.score = 0;
        }
        /* neuralforecast kept the official names: its own arguments tell it apart. */
        bool is_twin = strcmp(dialects[i].name, "neuralforecast") == 0;
        bool is_better =
            is_twin ? pml_neuralforecast_is(source, class_names) && other.score >= best.score && other.score > 0
                    : other.score > best.score;
        best = is_better || i == 0 ? other : best;
    }
    PML_TRY(pml_fit_report(source, &best, d, error));
    const char *model_type = pml_map_model_type(source);
    if (model_type != NULL) {
        PML_TRY(pml_detection_add(&d->reasons, &d->n_reasons, error, "%s says model_type %.64s", source->config_name,
                                  model_type));
    }
done:
    return status;
}

/* Each code base has its own arguments, which mean nothing to the others' networks. */
static pml_status check_arguments(const pml_map_source *source, const char *dialect, pml_error *error) {
    static const char *const research[] = {"seq_len", "patch_len", "context_points", "input_size"};
    bool is_hf = strcmp(dialect, HF) == 0;
    const char *model_type = pml_map_model_type(source);
    if (!is_hf && model_type != NULL) {
        return PML_FAIL(error, PML_E_CONFIG,
                        "%s has model_type '%.64s', as Hugging Face writes it, but the tensors are those of dialect "
                        "%s: the arguments of that run are needed",
                        source->config_name, model_type, dialect);
    }
    for (size_t i = 0; i < sizeof research / sizeof research[0] && is_hf && model_type == NULL; i++) {
        if (cJSON_GetObjectItemCaseSensitive(source->config, research[i]) != NULL) {
            return PML_FAIL(error, PML_E_CONFIG,
                            "%s holds arguments of research code (%s), but the tensors are those of dialect %s",
                            source->config_name, research[i], dialect);
        }
    }
    return PML_OK;
}

static pml_status read_config(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                              pml_error *error) {
    pml_status status = check_arguments(source, detection->dialect, error);
    if (status != PML_OK) {
        return status;
    }
    size_t i = 0;
    while (i + 1 < n_dialects && strcmp(dialects[i].name, detection->dialect) != 0) {
        i++;
    }
    return dialects[i].config(source, detection, config, error);
}

static const char *const model_types[] = {"patchtst", "PatchTST", NULL};

static const pml_map_refusal refusals[] = {
    {"patchtst_fm", "PatchTST-FM is another architecture under a similar name"},
    {"PatchTSTForMaskPretraining", "it comes from before PatchTST was part of transformers, and its configuration keys "
                                   "(encoder_layers, norm, shared_embedding, …) are not those of today"},
    {NULL, NULL}};

extern const pml_mapper pml_mapper_patchtst;
const pml_mapper pml_mapper_patchtst = {
    .name = "patchtst",
    .detect = detect,
    .config = read_config,
    .rules = rules,
    .witnesses = witnesses,
    .model_types = model_types,
    .refusals = refusals,
    .config_attribute = PML_NEURALFORECAST_CONFIG,
    .class_attribute = PML_NEURALFORECAST_CLASS,
    .class_names = class_names,
    .dialects = pml_patchtst_dialects,
};
