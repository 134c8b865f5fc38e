/* GPT-2: GPT2Config of transformers 5.23, the arguments of nanoGPT's GPTConfig, and hparams.json of openai/gpt-2. */
#include "mappers/gpt2/gpt2_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mappers/evidence.h"
#include "mappers/labels.h"
#include "runtime/base/alloc.h"

static pml_status derive_ffn_dim(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error);
static pml_status derive_tied_head(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error);
static pml_status derive_token(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error);

#define TIED_HEAD                                                                                                      \
    { .key = "tied_head", .when = "is_language_model", .from_tensors = true, .derive = derive_tied_head }
#define FIXED(name, value)                                                                                             \
    { .key = (name), .fallback = (value), .is_fixed = true }
#define NUM_LABELS                                                                                                     \
    { .key = "num_labels", .source = "num_labels", .fallback = "2", .when = "has_classifier", .from_tensors = true }

const pml_config_rule pml_gpt2_hf_keys[] = {
    {.key = "head",
     .source = "architectures",
     .words = "GPT2Model=none|GPT2LMHeadModel=language_model|GPT2ForSequenceClassification=sequence_classification",
     .null_is_absent = true,
     .is_list = true,
     .is_open = true,
     .from_tensors = true},
    {.key = "vocab_size", .source = "vocab_size", .fallback = "50257"},
    {.key = "max_positions", .source = "n_positions", .alias = "n_ctx", .fallback = "1024"},
    {.key = "num_hidden_layers", .source = "n_layer", .fallback = "12"},
    {.key = "d_model", .source = "n_embd", .fallback = "768"},
    {.key = "num_attention_heads", .source = "n_head", .fallback = "12", .must_ask = true},
    {.key = "ffn_dim", .source = "n_inner", .derive = derive_ffn_dim},
    {.key = "activation",
     .source = "activation_function",
     .words = "gelu=gelu|gelu_python=gelu|gelu_new=gelu_tanh|gelu_pytorch_tanh=gelu_tanh|gelu_python_tanh=gelu_tanh|"
              "gelu_fast=gelu_tanh|gelu_accurate=gelu_tanh|relu=relu|silu=silu|swish=silu|tanh=tanh|sigmoid=sigmoid|"
              "linear=identity",
     .fallback = "gelu_tanh",
     .is_open = true,
     .must_ask = true},
    {.key = "norm_eps", .source = "layer_norm_epsilon", .fallback = "1e-5"},
    FIXED("has_bias", "true"),
    {.key = "scale_scores", .source = "scale_attn_weights", .fallback = "true"},
    {.key = "scale_by_layer", .source = "scale_attn_by_inverse_layer_idx", .fallback = "false"},
    TIED_HEAD,
    NUM_LABELS,
    {.key = "pad_token", .source = "pad_token_id", .null_is_absent = true, .derive = derive_token},
    {.key = "bos_token", .source = "bos_token_id", .null_is_absent = true, .derive = derive_token},
    {.key = "eos_token", .source = "eos_token_id", .null_is_absent = true, .derive = derive_token},
    {.key = "embedding_dropout", .source = "embd_pdrop", .fallback = "0.1"},
    {.key = "attention_dropout", .source = "attn_pdrop", .fallback = "0.1"},
    {.key = "hidden_dropout", .source = "resid_pdrop", .fallback = "0.1"},
    {.key = "init_std", .source = "initializer_range", .fallback = "0.02"},
    {.key = NULL}};

/* What neither code base can vary. */
#define CONSTANTS(function)                                                                                            \
    FIXED("head", "language_model"), FIXED("activation", function), FIXED("norm_eps", "1e-5"),                         \
        FIXED("scale_scores", "true"), FIXED("scale_by_layer", "false"), FIXED("num_labels", "2"),                     \
        FIXED("init_std", "0.02"), TIED_HEAD, {                                                                        \
        .key = "ffn_dim", .from_tensors = true                                                                         \
    }

const pml_config_rule pml_gpt2_nanogpt_keys[] = {
    CONSTANTS("gelu"),
    {.key = "has_bias", .source = "bias", .from_tensors = true},
    {.key = "vocab_size", .source = "vocab_size", .fallback = "50304"},
    {.key = "max_positions", .source = "block_size", .fallback = "1024"},
    {.key = "num_hidden_layers", .source = "n_layer", .fallback = "12"},
    {.key = "d_model", .source = "n_embd", .fallback = "768"},
    {.key = "num_attention_heads", .source = "n_head", .fallback = "12", .must_ask = true},
    {.key = "embedding_dropout", .source = "dropout", .fallback = "0"},
    {.key = "attention_dropout", .source = "dropout", .fallback = "0"},
    {.key = "hidden_dropout", .source = "dropout", .fallback = "0"},
    {.key = NULL}};

const pml_config_rule pml_gpt2_openai_keys[] = {
    CONSTANTS("gelu_tanh"),
    FIXED("has_bias", "true"),
    {.key = "vocab_size", .source = "n_vocab", .alias = "vocab_size", .from_tensors = true},
    {.key = "max_positions", .source = "n_ctx", .alias = "n_positions", .fallback = "1024"},
    {.key = "num_hidden_layers", .source = "n_layer", .fallback = "12"},
    {.key = "d_model", .source = "n_embd", .fallback = "768"},
    {.key = "num_attention_heads", .source = "n_head", .fallback = "12", .must_ask = true},
    {.key = NULL}};

static const char *const other_keys[] = {"tie_word_embeddings", "add_cross_attention", NULL};

static pml_status copy_text(const char *value, char **text, pml_error *error) {
    return pml_string_copy(value, strlen(value), text, error);
}

static bool holds(const pml_config_reader *r, const char *expression) {
    int64_t value = 0;
    return pml_schema_eval(r->schema, r->config, expression, -1, &value, NULL) == PML_OK && value != 0;
}

/* null, and nothing in a configuration that is there, stand for four times the width. */
static pml_status derive_ffn_dim(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error) {
    pml_status status = PML_OK;
    pml_config_rule plain = *rule;
    char number[32];
    int64_t ffn_dim = 0;
    plain.derive = NULL;
    plain.null_is_absent = true;
    PML_TRY(pml_config_get(r, &plain, PML_CONFIG_INT, text, error));
    if (*text == NULL && r->source->config != NULL) {
        PML_TRY(pml_schema_eval(r->schema, r->config, "4 * d_model", -1, &ffn_dim, error));
        (void)snprintf(number, sizeof number, "%" PRId64, ffn_dim);
        PML_TRY(copy_text(number, text, error));
    }
done:
    return status;
}

/* Only a head can be tied; what the tensors say is asked for elsewhere. */
static pml_status derive_tied_head(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error) {
    pml_status status = PML_OK;
    pml_config_rule plain = *rule;
    plain.derive = NULL;
    PML_TRY(pml_config_get(r, &plain, PML_CONFIG_BOOL, text, error));
    if (*text == NULL && !holds(r, "is_language_model")) {
        PML_TRY(copy_text("false", text, error));
    }
done:
    return status;
}

/* Fine-tuned models name tokens that their table does not have; no token can be equal to those. */
static pml_status derive_token(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error) {
    pml_status status = PML_OK;
    pml_config_rule plain = *rule;
    char expression[96];
    plain.derive = NULL;
    PML_TRY(pml_config_get(r, &plain, PML_CONFIG_INT, text, error));
    if (*text != NULL) {
        (void)snprintf(expression, sizeof expression, "0 <= %.32s && %.32s < vocab_size", *text, *text);
        if (!holds(r, expression)) {
            PML_TRY(pml_detection_add(&r->detection->assumed, &r->detection->n_assumed, error,
                                      "no %s (%s is %.32s, which is none of the tokens)", rule->key, rule->source,
                                      *text));
            pml_free(*text);
            *text = NULL;
        }
    }
done:
    return status;
}

/* ---- what is refused ---- */
static pml_status refuse_variants(pml_config_reader *r, pml_error *error) {
    static const pml_config_rule cross = {
        .key = "add_cross_attention", .source = "add_cross_attention", .null_is_absent = true};
    pml_status status = PML_OK;
    char *text = NULL;
    PML_TRY(pml_config_get(r, &cross, PML_CONFIG_BOOL, &text, error));
    if (text != NULL && strcmp(text, "true") == 0) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                         "%s: add_cross_attention is true: GPT-2 behind an encoder is not "
                         "supported",
                         r->source->config_name));
    }
    if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(r->source->config, "pruned_heads")) > 0) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: pruned_heads is not empty: pruned models are not supported",
                         r->source->config_name));
    }
done:
    pml_free(text);
    return status;
}

/* ---- what the tensors say ---- */
/* A head of its own is stored, unless its bytes are those of the token table: then that is stored once. */
static pml_status examine_head(const pml_map_source *source, pml_evidence *e, const pml_facts *facts,
                               pml_error *error) {
    pml_status status = PML_OK;
    const pml_fact *head = pml_facts_find(facts, "head.weight");
    const pml_fact *tokens = pml_facts_find(facts, "embedding.token.weight");
    const pml_fact *classifier = pml_facts_find(facts, "classifier.weight");
    bool is_tied = head == NULL;
    if (head != NULL && tokens != NULL && head->source->dtype == tokens->source->dtype &&
        head->source->size_bytes == tokens->source->size_bytes) {
        const void *a, *b;
        PML_TRY(pml_source_tensor_view(source->tensors, head->source, &a, error));
        PML_TRY(pml_source_tensor_view(source->tensors, tokens->source, &b, error));
        is_tied = memcmp(a, b, (size_t)tokens->source->size_bytes) == 0;
        pml_source_tensor_release(source->tensors, head->source);
        pml_source_tensor_release(source->tensors, tokens->source);
    }
    const char *value = is_tied ? "true" : "false";
    pml_evidence_add_presence(e, "tied_head", head, value, "lm_head.weight", value);
    if (classifier != NULL) {
        (void)pml_evidence_add(e, "head", classifier, "sequence_classification");
    } else {
        pml_evidence_add_presence(e, "head", head, "language_model", "lm_head.weight or score.weight",
                                  "language_model");
        /* A tied head is often not stored, and models without any look the same. */
        e->items[e->count - 1].is_soft = head == NULL;
    }
done:
    return status;
}

static pml_status examine(const pml_map_source *source, pml_evidence *e, const pml_facts *facts, pml_error *error) {
    pml_evidence_add_axis(e, facts, "vocab_size", "embedding.token.weight", 0);
    pml_evidence_add_axis(e, facts, "d_model", "embedding.token.weight", 1);
    pml_evidence_add_axis(e, facts, "max_positions", "embedding.position.weight", 0);
    pml_evidence_add_outputs(e, facts, "ffn_dim", "decoder.layer.0.ffn.up.weight");
    pml_evidence_add_outputs(e, facts, "num_labels", "classifier.weight");
    pml_evidence_add_presence(e, "has_bias", pml_facts_find(facts, "decoder.layer.0.attention.q.bias"), "true",
                              "h.0.attn.c_attn.bias", "false");
    pml_evidence_add_layers(e, facts, "decoder.layer");
    return examine_head(source, e, facts, error);
}

/* ---- what keys and tensors say together ---- */
/* tie_word_embeddings false asks for a head of its own. Where the file has one, the file decides. */
static pml_status check_tie(pml_config_reader *r, pml_error *error) {
    static const pml_config_rule rule = {.key = "tie_word_embeddings", .source = "tie_word_embeddings"};
    pml_status status = PML_OK;
    char *text = NULL;
    PML_TRY(pml_config_get(r, &rule, PML_CONFIG_BOOL, &text, error));
    const pml_config_evidence *e = pml_config_evidence_find(r, "tied_head");
    if (text != NULL && strcmp(text, "false") == 0 && holds(r, "is_tied") && e != NULL && e->tensor == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: tie_word_embeddings is false, but there is no tensor %s",
                         r->source->config_name, e->absent));
    }
done:
    pml_free(text);
    return status;
}

static pml_status describe(const pml_config_reader *r, pml_detection *d, pml_error *error) {
    pml_status status = PML_OK;
    int64_t n_layers, d_model;
    PML_TRY(pml_schema_eval(r->schema, r->config, "num_hidden_layers", -1, &n_layers, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "d_model", -1, &d_model, error));
    PML_TRY(pml_detection_set(&d->variant, error, "%s: %" PRId64 " layers of %" PRId64 "%s%s%s",
                              holds(r, "is_language_model") ? "language-model"
                              : holds(r, "has_classifier")  ? "sequence-classification"
                                                            : "model",
                              n_layers, d_model, holds(r, "is_language_model && !tied_head") ? ", head of its own" : "",
                              holds(r, "has_bias") ? "" : ", no biases",
                              holds(r, "scale_by_layer") ? ", scores scaled by layer" : ""));
done:
    return status;
}

static const pml_config_rule *keys_of(const char *dialect) {
    return strcmp(dialect, PML_GPT2_NANOGPT) == 0  ? pml_gpt2_nanogpt_keys
           : strcmp(dialect, PML_GPT2_OPENAI) == 0 ? pml_gpt2_openai_keys
                                                   : pml_gpt2_hf_keys;
}

pml_status pml_gpt2_config(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                           pml_error *error) {
    pml_status status = PML_OK;
    pml_facts facts = {0};
    pml_evidence evidence = {.count = 0};
    pml_config_reader r = {.source = source,
                           .schema = pml_schema_find("gpt2"),
                           .detection = detection,
                           .config = config,
                           .other_keys = other_keys};
    const pml_config_rule *keys = keys_of(detection->dialect);
    int64_t max_tokens;
    PML_TRY(refuse_variants(&r, error));
    PML_TRY(pml_facts_collect(source, detection->mapper, detection->dialect, &facts, error));
    PML_TRY(examine(source, &evidence, &facts, error));
    r.evidence = evidence.items;
    r.n_evidence = evidence.count;
    PML_TRY(pml_config_read(&r, keys, error));
    PML_TRY(pml_config_blame(source, pml_schema_check_config(r.schema, config, error), error));
    PML_TRY(pml_config_settle(&r, keys, error));
    PML_TRY(check_tie(&r, error));
    PML_TRY(pml_schema_eval(r.schema, config, "max_positions", -1, &max_tokens, error));
    PML_TRY(pml_metadata_set_i64(config, "text.max_tokens", max_tokens, error));
    if (holds(&r, "has_classifier")) {
        PML_TRY(pml_map_set_labels(&r, error));
    }
    PML_TRY(describe(&r, detection, error));
done:
    pml_facts_deinit(&facts);
    return status;
}
