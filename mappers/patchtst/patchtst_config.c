/* PatchTST, Hugging Face's configuration (PatchTSTConfig of transformers 5.23): names, class defaults and quirks. */
#include "mappers/patchtst/patchtst_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mappers/evidence.h"
#include "runtime/base/alloc.h"

static pml_status derive_distribution(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error);
static pml_status derive_masking(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error);

#define HAS_DISTRIBUTION "head == 'prediction' || head == 'regression'"
#define HAS_POOLING "(head == 'prediction' || is_pooled_head) && !use_cls_token && n_patches > 1"

const pml_config_rule pml_patchtst_keys_hf[] = {
    {.key = "head",
     .source = "architectures",
     .words = "PatchTSTModel=none|PatchTSTForPrediction=prediction|PatchTSTForPretraining=pretraining|"
              "PatchTSTForClassification=classification|PatchTSTForRegression=regression",
     .null_is_absent = true,
     .is_list = true,
     .is_open = true,
     .must_ask = true,
     .from_tensors = true},
    {.key = "num_input_channels", .source = "num_input_channels", .fallback = "1", .must_ask = true},
    {.key = "context_length", .source = "context_length", .fallback = "32", .must_ask = true},
    {.key = "patch_length", .source = "patch_length", .fallback = "1"},
    {.key = "patch_stride", .source = "patch_stride", .alias = "stride", .fallback = "1", .must_ask = true},
    {.key = "num_hidden_layers", .source = "num_hidden_layers", .alias = "encoder_layers", .fallback = "3"},
    {.key = "d_model", .source = "d_model", .alias = "hidden_size", .alias_wins = true, .fallback = "128"},
    {.key = "num_attention_heads",
     .source = "num_attention_heads",
     .alias = "encoder_attention_heads",
     .fallback = "4",
     .must_ask = true},
    {.key = "ffn_dim", .source = "ffn_dim", .alias = "encoder_ffn_dim", .fallback = "512"},
    {.key = "norm_type",
     .source = "norm_type",
     .alias = "norm",
     .words = "batchnorm=batchnorm|layernorm=layernorm|BatchNorm=batchnorm|LayerNorm=layernorm",
     .fallback = "batchnorm"},
    {.key = "norm_eps", .source = "norm_eps", .fallback = "1e-05"},
    {.key = "pre_norm", .source = "pre_norm", .fallback = "true", .must_ask = true},
    {.key = "activation",
     .source = "activation_function",
     .words = "gelu=gelu|gelu_python=gelu|gelu_new=gelu_tanh|gelu_pytorch_tanh=gelu_tanh|"
              "gelu_python_tanh=gelu_tanh|relu=relu|silu=silu|swish=silu|tanh=tanh|sigmoid=sigmoid|linear=identity",
     .fallback = "gelu",
     .is_open = true,
     .must_ask = true},
    {.key = "ffn_bias", .source = "bias", .fallback = "true"},
    {.key = "channel_attention", .source = "channel_attention", .fallback = "false"},
    {.key = "share_embedding", .source = "share_embedding", .alias = "shared_embedding", .fallback = "true"},
    {.key = "share_projection",
     .source = "share_projection",
     .alias = "shared_projection",
     .fallback = "true",
     .when = "head == 'prediction'"},
    {.key = "use_cls_token", .source = "use_cls_token", .fallback = "false"},
    {.key = "positional_encoding",
     .source = "positional_encoding_type",
     .alias = "positional_encoding",
     .words = "sincos=sincos|random=learned|zeros=learned|normal=learned|uniform=learned",
     .fallback = "sincos"},
    {.key = "scaling",
     .source = "scaling",
     .words = "std=std|mean=mean|@true=mean|@false=none|@null=none",
     .fallback = "std",
     .must_ask = true},
    {.key = "pooling",
     .source = "pooling_type",
     .alias = "pooling",
     .words = "mean=mean|max=max|@null=none",
     .fallback = "mean",
     .when = HAS_POOLING,
     .must_ask = true},
    {.key = "prediction_length", .source = "prediction_length", .fallback = "24", .when = "head == 'prediction'"},
    {.key = "num_targets", .source = "num_targets", .alias = "num_classes", .fallback = "1", .when = "is_pooled_head"},
    {.key = "distribution",
     .source = "loss",
     .fallback = "none",
     .when = HAS_DISTRIBUTION,
     .must_ask = true,
     .derive = derive_distribution,
     .derived_from = "distribution by loss and distribution_output"},
    {.key = "output_range",
     .source = "output_range",
     .when = "head == 'regression' && distribution == 'none'",
     .null_is_absent = true,
     .must_ask = true},
    {.key = "do_mask_input", .source = "do_mask_input", .fallback = "false", .derive = derive_masking},
    {.key = "mask_type",
     .source = "mask_type",
     .words = "random=random|forecast=forecast",
     .fallback = "random",
     .when = "do_mask_input"},
    {.key = "mask_value", .source = "mask_value", .fallback = "0", .when = "do_mask_input"},
    {.key = "random_mask_ratio",
     .source = "random_mask_ratio",
     .alias = "mask_ratio",
     .fallback = "0.5",
     .when = "do_mask_input"},
    {.key = "num_forecast_mask_patches",
     .source = "num_forecast_mask_patches",
     .alias = "mask_patches",
     .fallback = "2",
     .when = "do_mask_input",
     .null_is_absent = true},
    {.key = "channel_consistent_masking",
     .source = "channel_consistent_masking",
     .fallback = "false",
     .when = "do_mask_input",
     .null_is_absent = true},
    {.key = "unmasked_channel_indices",
     .source = "unmasked_channel_indices",
     .when = "do_mask_input",
     .null_is_absent = true},
    {.key = "attention_dropout", .source = "attention_dropout", .fallback = "0"},
    {.key = "positional_dropout", .source = "positional_dropout", .fallback = "0"},
    {.key = "path_dropout", .source = "path_dropout", .alias = "dropout_path", .fallback = "0"},
    {.key = "ff_dropout", .source = "ff_dropout", .fallback = "0"},
    {.key = "head_dropout", .source = "head_dropout", .fallback = "0"},
    {.key = "init_std", .source = "init_std", .fallback = "0.02"},
    {.key = NULL}};
static const pml_config_rule *const head_rule = &pml_patchtst_keys_hf[0];
static const pml_config_rule *const channels_rule = &pml_patchtst_keys_hf[1];

static const char *const other_keys[] = {"distribution_output", NULL};

/* Attributes that the scalers of upstream look for, although the configuration class does not declare them. */
static const char *const hidden_keys[] = {"scaling_dim", "keepdim", "minimum_scale", "default_scale", NULL};

static const pml_config_rule loss_rule = {.key = "loss", .source = "loss", .words = "mse=mse|nll=nll|@null=nll"};
static const pml_config_rule output_rule = {
    .key = "distribution_output",
    .source = "distribution_output",
    .words = "student_t=student_t|normal=normal|negative_binomial=negative_binomial"};
static const pml_config_rule distribution_rule = {
    .key = "distribution", .words = "none=none|student_t=student_t|normal=normal|negative_binomial=negative_binomial"};
static const pml_config_rule masking_rule = {.key = "do_mask_input", .source = "do_mask_input", .null_is_absent = true};

static bool is_head(const pml_config_reader *r, const char *head) {
    const char *value;
    return pml_metadata_get_string(r->config, "config.head", &value, NULL) == PML_OK && strcmp(value, head) == 0;
}

static pml_status set_text(char **text, const char *value, pml_error *error) {
    pml_free(*text);
    *text = NULL;
    return pml_string_copy(value, strlen(value), text, error);
}

/* Upstream: loss "mse" is a plain head, anything else a distribution, named by distribution_output. */
static pml_status derive_distribution(pml_config_reader *r, const pml_config_rule *rule, char **text,
                                      pml_error *error) {
    (void)rule;
    pml_status status = PML_OK;
    char *direct = NULL, *loss = NULL, *output = NULL;
    PML_TRY(pml_config_get(r, &distribution_rule, PML_CONFIG_CHOICE, &direct, error));
    PML_TRY(pml_config_get(r, &loss_rule, PML_CONFIG_CHOICE, &loss, error));
    PML_TRY(pml_config_get(r, &output_rule, PML_CONFIG_CHOICE, &output, error));
    const char *head;
    bool is_head_known = pml_metadata_get_string(r->config, "config.head", &head, NULL) == PML_OK;
    if (is_head_known && !is_head(r, "prediction") && !is_head(r, "regression")) {
        PML_TRY(set_text(text, "none", error));
    } else if (direct != NULL) {
        *text = direct;
        direct = NULL;
    } else if (loss != NULL && strcmp(loss, "mse") == 0) {
        PML_TRY(set_text(text, "none", error));
    } else if (loss != NULL) {
        PML_TRY(set_text(text, output != NULL ? output : "student_t", error));
    }
done:
    pml_free(direct);
    pml_free(loss);
    pml_free(output);
    return status;
}

/* Upstream: pretraining always masks, the other heads never do; only the bare model follows its configuration. */
static pml_status derive_masking(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error) {
    (void)rule;
    pml_status status = PML_OK;
    PML_TRY(pml_config_get(r, &masking_rule, PML_CONFIG_BOOL, text, error));
    if (is_head(r, "pretraining")) {
        PML_TRY(set_text(text, "true", error));
    } else if (is_head(r, "prediction") || is_head(r, "classification") || is_head(r, "regression")) {
        PML_TRY(set_text(text, "false", error));
    }
done:
    return status;
}

/* ---- what the tensors say ---- */
typedef struct evidence {
    pml_evidence said;
    const pml_fact *position, *head; /* NULL: absent, or of a rank that makes no sense */
    uint64_t n_patches;              /* 0: unknown */
    uint64_t d_model, patch_length;  /* 0: unknown */
    uint32_t n_head_outputs;
    bool is_linear, is_projection; /* how upstream names the head */
    bool has_cls_token;
    /* What user and configuration say, with its defaults; 0: unknown. */
    uint64_t n_channels, horizon, n_targets;
    char doubt[192]; /* what the head would be over another number of channels */
} evidence;

static const pml_fact *find_ranked(const pml_facts *facts, const char *target, unsigned rank) {
    const pml_fact *fact = pml_facts_find(facts, target);
    return fact != NULL && fact->has_view && fact->view.rank == rank ? fact : NULL;
}

static void examine_body(const pml_facts *facts, evidence *e) {
    const pml_fact *embedding = find_ranked(facts, "patch_embedding.weight", 2);
    const pml_fact *cls = pml_facts_find(facts, "cls_token");
    const pml_fact *up = find_ranked(facts, "encoder.layer.0.ffn.up.weight", 2);
    e->position = find_ranked(facts, "position", 2);
    e->has_cls_token = cls != NULL;
    pml_evidence_add_presence(&e->said, "use_cls_token", cls, "true", "encoder.positional_encoder.cls_token", "false");
    if (embedding != NULL) {
        e->patch_length = embedding->view.shape[0];
        e->d_model = embedding->view.shape[1];
        pml_evidence_add_number(&e->said, "patch_length", embedding, e->patch_length);
        pml_evidence_add_number(&e->said, "d_model", embedding, e->d_model);
        pml_evidence_add(&e->said, "share_embedding", embedding, embedding->view.is_stacked ? "false" : "true");
        if (embedding->view.is_stacked) {
            pml_evidence_add_number(&e->said, "num_input_channels", embedding,
                                    pml_facts_count(facts, "patch_embedding.weight", 'c'));
        }
    }
    if (e->position != NULL) {
        e->n_patches = e->position->view.shape[0] - (cls != NULL ? 1 : 0);
    }
    pml_evidence_add_layers(&e->said, facts, "encoder.layer");
    if (up != NULL) {
        pml_evidence_add_number(&e->said, "ffn_dim", up, up->view.shape[1]);
        pml_evidence_add_presence(&e->said, "ffn_bias", pml_facts_find(facts, "encoder.layer.0.ffn.up.bias"), "true",
                                  "encoder.layers.0.ff.0.bias", "false");
    }
    if (pml_facts_find(facts, "encoder.layer.0.norm1.weight") != NULL) {
        pml_evidence_add_presence(&e->said, "channel_attention", pml_facts_find(facts, "encoder.layer.0.norm2.weight"),
                                  "true", "encoder.layers.0.norm_sublayer2", "false");
        pml_evidence_add_presence(&e->said, "norm_type", pml_facts_find(facts, "encoder.layer.0.norm1.mean"),
                                  "batchnorm", "encoder.layers.0.norm_sublayer1.batchnorm.running_mean", "layernorm");
    }
}

/* Assumes `head` while the number of channels is unknown: over one certain number, `other` has these shapes too. */
static void assume_head(evidence *e, const char *head, const char *other) {
    uint64_t n_channels = e->head->view.shape[0] / e->d_model;
    bool is_plain_regression = e->is_projection && e->n_head_outputs == 1;
    (void)snprintf(e->doubt, sizeof e->doubt, "if num_input_channels is %" PRIu64 ", also --set head=%s|%s%s%s",
                   n_channels, head, other, e->has_cls_token ? "" : " --set pooling=none|mean|max",
                   is_plain_regression ? " --set output_range=X,Y|none" : "");
    pml_config_evidence *item = pml_evidence_add(&e->said, "head", e->head, head);
    item->is_soft = true;
    item->doubt = e->doubt;
}

/* Which heads the shapes allow. Where they and the configuration's numbers allow two, the head must be asked for. */
static void examine_head_kind(evidence *e) {
    uint64_t in = e->head->view.shape[0], out = e->head->view.shape[1], d = e->d_model;
    bool is_per_channel = e->head->view.is_stacked;
    bool takes_channels = !is_per_channel && d > 0 && (e->n_channels > 0 ? in == e->n_channels * d : in % d == 0);
    bool takes_tokens = is_per_channel || in == d || (e->n_patches > 0 && in == e->n_patches * d);
    bool takes_one = in == d && out == e->patch_length;
    const char *over_channels = e->is_linear ? "classification" : "regression";
    const char *over_tokens = e->is_linear ? "pretraining" : "prediction";
    bool fits = e->is_linear ? takes_one : takes_tokens;
    if (fits && takes_channels && e->n_channels > 0) {
        bool is_horizon = e->is_linear || e->horizon == 0 || out == e->horizon;
        bool is_targets = e->n_targets == 0 || out == e->n_targets;
        fits = is_horizon || !is_targets;
        takes_channels = is_targets || !is_horizon;
    }
    if (fits != takes_channels) {
        pml_evidence_add(&e->said, "head", e->head, fits ? over_tokens : over_channels);
    } else if (fits && e->n_channels == 0) {
        assume_head(e, over_tokens, over_channels);
    }
}

static void examine_head(const pml_facts *facts, evidence *e) {
    const pml_fact *any = pml_facts_find(facts, "head.0.weight");
    e->n_head_outputs = pml_facts_count(facts, "head.{k}.weight", 'k');
    if (any == NULL && e->n_head_outputs == 0) {
        pml_evidence_add_absent(&e->said, "head", "head.projection.weight or head.linear.weight", "none");
        return;
    }
    e->head = find_ranked(facts, "head.0.weight", 2);
    if (e->head == NULL) {
        return;
    }
    e->is_linear = strncmp(e->head->rule->pattern, "head.linear.", 12) == 0;
    e->is_projection = strncmp(e->head->rule->pattern, "head.projection", 15) == 0;
    if (e->is_linear || e->is_projection) {
        examine_head_kind(e);
    }
}

/* What the head's shapes say about other keys, once it is known what the head is (NULL: it is not). */
static void examine_head_sizes(evidence *e, const char *head) {
    if (e->head == NULL) {
        return;
    }
    uint64_t in = e->head->view.shape[0], out = e->head->view.shape[1];
    if (e->n_head_outputs == 1) {
        pml_evidence_add(&e->said, "distribution", e->head, "none");
    } else if (e->n_head_outputs == 3) {
        pml_evidence_add(&e->said, "distribution", e->head, "student_t");
    }
    pml_evidence_add_number(&e->said, "prediction_length", e->head, out);
    pml_evidence_add_number(&e->said, "num_targets", e->head, out);
    bool takes_channels = head != NULL && (strcmp(head, "classification") == 0 || strcmp(head, "regression") == 0);
    if (takes_channels && e->d_model > 0 && in % e->d_model == 0) {
        pml_evidence_add_number(&e->said, "num_input_channels", e->head, in / e->d_model);
    }
    pml_evidence_add(&e->said, "share_projection", e->head, e->head->view.is_stacked ? "false" : "true");
    if (takes_channels) {
        return; /* such heads are never flattened, even where N patches look like C channels */
    }
    if (head != NULL && e->n_patches > 1 && in == e->n_patches * e->d_model) {
        pml_evidence_add(&e->said, "pooling", e->head, "none");
    } else if (e->n_patches == 1) {
        pml_evidence_add(&e->said, "pooling", e->head, "mean")->is_soft = true; /* of one token, whatever its kind */
    }
}

/* ---- what keys and tensors say together ---- */
static pml_status check_patches(const pml_config_reader *r, const evidence *e, pml_error *error) {
    pml_status status = PML_OK;
    int64_t n_patches, context_length, patch_length, patch_stride;
    char shape[PML_SHAPE_TEXT_BYTES];
    PML_TRY(pml_schema_eval(r->schema, r->config, "n_patches", -1, &n_patches, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "context_length", -1, &context_length, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "patch_length", -1, &patch_length, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "patch_stride", -1, &patch_stride, error));
    if (e->position != NULL && (uint64_t)n_patches != e->n_patches) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG,
                         "context_length %" PRId64 ", patch_length %" PRId64 " and patch_stride %" PRId64
                         " give %" PRId64 " patches, but tensor %.200s %s says %" PRIu64,
                         context_length, patch_length, patch_stride, n_patches, e->position->source->name,
                         pml_shape_text(e->position->source->shape, e->position->source->rank, shape), e->n_patches));
    }
done:
    return status;
}

static pml_status check_head(const pml_config_reader *r, const evidence *e, pml_error *error) {
    pml_status status = PML_OK;
    int64_t n_outputs, in, out;
    char shape[PML_SHAPE_TEXT_BYTES];
    if (e->head == NULL) {
        goto done;
    }
    const pml_source_tensor *tensor = e->head->source;
    (void)pml_shape_text(tensor->shape, tensor->rank, shape);
    const char *head;
    PML_TRY(pml_metadata_get_string(r->config, "config.head", &head, error));
    bool is_linear = is_head(r, "pretraining") || is_head(r, "classification");
    if ((e->is_linear && !is_linear) || (e->is_projection && (is_linear || is_head(r, "none")))) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "architectures: the head is '%s', but tensor %.200s %s belongs to %s",
                         head, tensor->name, shape,
                         e->is_linear ? "pretraining or classification" : "prediction or regression"));
    }
    PML_TRY(pml_schema_eval(r->schema, r->config, "n_head_outputs", -1, &n_outputs, error));
    if (n_outputs != (int64_t)e->n_head_outputs) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG,
                         "loss and distribution_output ask for %" PRId64 " projections, but tensor %.200s %s is the "
                         "first of %u",
                         n_outputs, tensor->name, shape, (unsigned)e->n_head_outputs));
    }
    PML_TRY(pml_schema_eval(r->schema, r->config, "head_in", -1, &in, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "head_out", -1, &out, error));
    if ((uint64_t)in != e->head->view.shape[0]) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG,
                         "head '%s' takes %" PRId64 " features by %s, but tensor %.200s %s takes %" PRIu64, head, in,
                         is_head(r, "prediction")    ? "pooling_type, use_cls_token, d_model and the number of patches"
                         : is_head(r, "pretraining") ? "d_model"
                                                     : "num_input_channels and d_model",
                         tensor->name, shape, e->head->view.shape[0]));
    }
    if ((uint64_t)out != e->head->view.shape[1]) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG,
                         "head '%s' gives %" PRId64 " values by %s, but tensor %.200s %s gives %" PRIu64, head, out,
                         is_head(r, "prediction")    ? "prediction_length"
                         : is_head(r, "pretraining") ? "patch_length"
                                                     : "num_targets",
                         tensor->name, shape, e->head->view.shape[1]));
    }
done:
    return status;
}

static pml_status check_channels(const pml_config_reader *r, pml_error *error) {
    pml_status status = PML_OK;
    int64_t is_broken, n_channels;
    PML_TRY(
        pml_schema_eval(r->schema, r->config, "is_head_per_channel && num_input_channels > 1", -1, &is_broken, error));
    if (is_broken != 0) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                         "share_projection is false with several channels: upstream's loop over channels overwrites "
                         "its own input and fails, so there is nothing to agree with"));
    }
    PML_TRY(pml_schema_eval(r->schema, r->config, "num_input_channels", -1, &n_channels, error));
    const pml_meta_entry *unmasked = pml_metadata_find(r->config, "config.unmasked_channel_indices");
    for (uint64_t i = 0; unmasked != NULL && i < unmasked->count; i++) {
        if (unmasked->value.i64s[i] >= n_channels) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG,
                             "unmasked_channel_indices: %" PRId64 " is not below num_input_channels %" PRId64,
                             unmasked->value.i64s[i], n_channels));
        }
    }
done:
    return status;
}

/* What no key alone can be wrong about. */
static pml_status check_together(const pml_config_reader *r, const evidence *e, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_schema_check_config(r->schema, r->config, error));
    PML_TRY(check_patches(r, e, error));
    PML_TRY(check_channels(r, error));
    PML_TRY(check_head(r, e, error));
done:
    return status;
}

static pml_status describe(const pml_config_reader *r, pml_detection *d, pml_error *error) {
    pml_status status = PML_OK;
    const char *head, *norm, *scaling, *distribution;
    int64_t is_cd, is_pre_norm, has_cls;
    PML_TRY(pml_metadata_get_string(r->config, "config.head", &head, error));
    PML_TRY(pml_metadata_get_string(r->config, "config.norm_type", &norm, error));
    PML_TRY(pml_metadata_get_string(r->config, "config.scaling", &scaling, error));
    PML_TRY(pml_metadata_get_string(r->config, "config.distribution", &distribution, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "channel_attention", -1, &is_cd, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "pre_norm", -1, &is_pre_norm, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "use_cls_token", -1, &has_cls, error));
    bool is_plain = strcmp(distribution, "none") == 0;
    PML_TRY(pml_detection_set(&d->variant, error, "%s-%s: %s, %s-norm %s, scaling %s%s%s%s",
                              strcmp(head, "none") == 0 ? "model" : head, is_cd ? "cd" : "ci",
                              is_cd ? "channels attend each other" : "channels independent",
                              is_pre_norm ? "pre" : "post", norm, scaling, has_cls ? ", cls token" : "",
                              is_plain ? "" : ", distribution ", is_plain ? "" : distribution));
done:
    return status;
}

/* 0: no number from 1 to 1000000. */
static uint64_t count_of(const char *text) {
    const long long value = text != NULL ? strtoll(text, NULL, 10) : 0;
    return value > 0 && value <= 1000000 ? (uint64_t)value : 0;
}

/* What user or file give, else what `hint` says (NULL: nothing), else the class default that goes with a file;
 * 0: unknown. */
static pml_status get_number(pml_config_reader *r, const pml_config_rule *rule, const pml_config_evidence *hint,
                             uint64_t *number, pml_error *error) {
    char *text = NULL;
    const pml_status status = pml_config_get(r, rule, PML_CONFIG_INT, &text, error);
    *number = count_of(text);
    if (*number == 0 && hint != NULL) {
        *number = count_of(hint->value);
    }
    if (*number == 0 && r->source->config != NULL) {
        *number = count_of(rule->fallback);
    }
    pml_free(text);
    return status;
}

static pml_status find_numbers(pml_config_reader *r, evidence *e, pml_error *error) {
    pml_status status = PML_OK;
    const pml_config_evidence *channels = NULL; /* one embedding for each */
    for (size_t i = 0; i < e->said.count; i++) {
        channels = strcmp(e->said.items[i].key, "num_input_channels") == 0 ? &e->said.items[i] : channels;
    }
    PML_TRY(get_number(r, channels_rule, channels, &e->n_channels, error));
    for (const pml_config_rule *rule = pml_patchtst_keys_hf; rule->key != NULL; rule++) {
        if (strcmp(rule->key, "prediction_length") == 0) {
            PML_TRY(get_number(r, rule, NULL, &e->horizon, error));
        } else if (strcmp(rule->key, "num_targets") == 0) {
            PML_TRY(get_number(r, rule, NULL, &e->n_targets, error));
        }
    }
done:
    return status;
}

pml_status pml_patchtst_config_hf(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                                  pml_error *error) {
    pml_status status = PML_OK;
    pml_facts facts = {0};
    evidence e = {.n_patches = 0};
    char *head = NULL;
    pml_config_reader r = {.source = source,
                           .schema = pml_schema_find("patchtst"),
                           .detection = detection,
                           .config = config,
                           .other_keys = other_keys};
    PML_TRY(pml_config_refuse(source, hidden_keys, "it changes how windows are scaled", error));
    PML_TRY(pml_facts_collect(source, detection->mapper, detection->dialect, &facts, error));
    PML_TRY(pml_config_get(&r, head_rule, PML_CONFIG_CHOICE, &head, error));
    examine_body(&facts, &e);
    PML_TRY(find_numbers(&r, &e, error));
    examine_head(&facts, &e);
    const char *kind = head;
    for (size_t i = 0; i < e.said.count && kind == NULL; i++) {
        kind = strcmp(e.said.items[i].key, "head") == 0 ? e.said.items[i].value : NULL;
    }
    examine_head_sizes(&e, kind);
    r.evidence = e.said.items;
    r.n_evidence = e.said.count;
    PML_TRY(pml_config_read(&r, pml_patchtst_keys_hf, error));
    PML_TRY(pml_config_blame(source, check_together(&r, &e, error), error));
    PML_TRY(pml_config_settle(&r, pml_patchtst_keys_hf, error));
    PML_TRY(describe(&r, detection, error));
done:
    pml_free(head);
    pml_facts_deinit(&facts);
    return status;
}
