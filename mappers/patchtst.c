/* PatchTST: which code base's names a checkpoint uses, and where each tensor goes (specs/models/patchtst.md).
 *
 * Every dialect is a value of the `dialect` column. Those without rules are recognized by witness tensors and refused
 * by name, because the same shapes mean other computations there. */
#include "mappers/mapping.h"
#include "mappers/patchtst/patchtst_config.h"

#define HF "hf"
#define ENCODER "[model.]encoder."
#define LAYER ENCODER "layers.{l}."
#define COUNTER "counts training batches; nothing computes with it"

/* A torch Linear: weight [out,in], bias [out]. */
#define LINEAR(from, to)                                                                                               \
    {HF, from ".weight", to ".weight", "transpose", NULL, NULL}, {                                                     \
        HF, from ".bias", to ".bias", "", NULL, NULL                                                                   \
    }
/* LayerNorm, or BatchNorm1d one module deeper. */
#define NORM(n)                                                                                                        \
    {HF, LAYER "norm_sublayer" n ".weight", "encoder.layer.{l}.norm" n ".weight", "", NULL, NULL},                     \
        {HF, LAYER "norm_sublayer" n ".bias", "encoder.layer.{l}.norm" n ".bias", "", NULL, NULL},                     \
        {HF, LAYER "norm_sublayer" n ".batchnorm.weight", "encoder.layer.{l}.norm" n ".weight", "", NULL, NULL},       \
        {HF, LAYER "norm_sublayer" n ".batchnorm.bias", "encoder.layer.{l}.norm" n ".bias", "", NULL, NULL},           \
        {HF, LAYER "norm_sublayer" n ".batchnorm.running_mean", "encoder.layer.{l}.norm" n ".mean", "", NULL, NULL},   \
        {HF, LAYER "norm_sublayer" n ".batchnorm.running_var", "encoder.layer.{l}.norm" n ".var", "", NULL, NULL}, {   \
        HF, LAYER "norm_sublayer" n ".batchnorm.num_batches_tracked", NULL, NULL, NULL, COUNTER                        \
    }

static const pml_map_rule rules[] = {
    LINEAR(ENCODER "embedder.input_embedding", "patch_embedding"),
    {HF, ENCODER "embedder.input_embedding.{c}.weight", "patch_embedding.weight", "transpose;stack(c)", NULL, NULL},
    {HF, ENCODER "embedder.input_embedding.{c}.bias", "patch_embedding.bias", "stack(c)", NULL, NULL},
    {HF, ENCODER "positional_encoder.position_enc", "position", "", NULL, NULL},
    {HF, ENCODER "positional_encoder.cls_token", "cls_token", "reshape(-1)", NULL, NULL},
    LINEAR(LAYER "self_attn.q_proj", "encoder.layer.{l}.attention.q"),
    LINEAR(LAYER "self_attn.k_proj", "encoder.layer.{l}.attention.k"),
    LINEAR(LAYER "self_attn.v_proj", "encoder.layer.{l}.attention.v"),
    LINEAR(LAYER "self_attn.out_proj", "encoder.layer.{l}.attention.out"),
    NORM("1"),
    NORM("2"),
    LINEAR(LAYER "ff.0", "encoder.layer.{l}.ffn.up"),
    LINEAR(LAYER "ff.3", "encoder.layer.{l}.ffn.down"),
    NORM("3"),
    LINEAR("head.projection", "head.0"),
    LINEAR("head.projection.proj.{k}", "head.{k}"),
    {HF, "head.projections.{c}.weight", "head.0.weight", "transpose;stack(c)", NULL, NULL},
    {HF, "head.projections.{c}.bias", "head.0.bias", "stack(c)", NULL, NULL},
    {HF, "head.projections.{c}.proj.{k}.weight", "head.{k}.weight", "transpose;stack(c)", NULL, NULL},
    {HF, "head.projections.{c}.proj.{k}.bias", "head.{k}.bias", "stack(c)", NULL, NULL},
    LINEAR("head.linear", "head.0"),
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
                                        "encoder.layer.0.norm3.weight"};
static const size_t n_witnesses = sizeof witnesses / sizeof witnesses[0];

static const struct {
    const char *dialect;
    const char *tensor;
} foreign[] = {{"official-supervised", "model.backbone.W_P.weight"},
               {"official-supervised", "model_trend.backbone.W_P.weight"},
               {"official-supervised", "model_res.backbone.W_P.weight"},
               {"official-self-supervised", "backbone.W_P.weight"},
               {"official-self-supervised", "backbone.W_P.0.weight"},
               {"tsl", "patch_embedding.value_embedding.weight"}};

static pml_status recognize_foreign(const pml_map_source *source, pml_detection *d, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0] && d->failed == NULL; i++) {
        const pml_source_tensor *tensor = pml_map_tensor_find(source, foreign[i].tensor);
        if (tensor == NULL || tensor->rank != 2) {
            continue;
        }
        d->dialect = foreign[i].dialect;
        d->score = 1;
        PML_TRY(pml_detection_add(&d->reasons, &d->n_reasons, error, "tensor %s is the patch embedding of dialect %s",
                                  tensor->name, d->dialect));
        PML_TRY(pml_detection_set(&d->failed, error,
                                  "PatchTST in the dialect %s (tensor %s) is recognized, but not supported yet; the "
                                  "dialect hf is",
                                  d->dialect, tensor->name));
    }
done:
    return status;
}

static pml_status detect(const pml_map_source *source, pml_detection *d, pml_error *error) {
    pml_status status = PML_OK;
    pml_facts facts = {0};
    size_t n_found = 0;
    d->dialect = HF;
    PML_TRY(pml_facts_collect(source, d->mapper, HF, &facts, error));
    const char *absent = NULL;
    for (size_t i = 0; i < n_witnesses; i++) {
        bool is_found = pml_facts_find(&facts, witnesses[i]) != NULL;
        n_found += is_found;
        absent = is_found || absent != NULL ? absent : witnesses[i];
    }
    d->n_matched = facts.count;
    size_t n_tensors = pml_source_n_tensors(source->tensors);
    if (n_tensors > 0) {
        d->score = (double)n_found / (double)n_witnesses * (double)facts.count / (double)n_tensors;
    }
    d->accepted = d->score >= 0.5;
    if (!d->accepted) {
        PML_TRY(recognize_foreign(source, d, error));
    }
    if (d->failed != NULL) {
        goto done;
    }
    PML_TRY(pml_detection_add(&d->reasons, &d->n_reasons, error,
                              "%zu of %zu tensors have names of dialect %s, %zu of %zu witnesses are there%s%s",
                              facts.count, n_tensors, HF, n_found, n_witnesses,
                              absent != NULL ? ", first absent: " : "", absent != NULL ? absent : ""));
    const char *model_type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(source->config, "model_type"));
    if (model_type != NULL) {
        PML_TRY(pml_detection_add(&d->reasons, &d->n_reasons, error, "%s says model_type %.64s", source->config_name,
                                  model_type));
    }
done:
    pml_facts_deinit(&facts);
    return status;
}

static const char *const model_types[] = {"patchtst", NULL};

static const pml_map_refusal refusals[] = {
    {"patchtst_fm", "PatchTST-FM is another architecture under a similar name"},
    {"PatchTSTForMaskPretraining", "it comes from before PatchTST was part of transformers, and its configuration keys "
                                   "(encoder_layers, norm, shared_embedding, …) are not those of today"},
    {NULL, NULL}};

extern const pml_mapper pml_mapper_patchtst;
const pml_mapper pml_mapper_patchtst = {
    .name = "patchtst",
    .detect = detect,
    .config = pml_patchtst_config_hf,
    .rules = rules,
    .model_types = model_types,
    .refusals = refusals,
};
