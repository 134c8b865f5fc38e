/* BERT, Hugging Face's configuration (BertConfig of transformers 5.23): names, class defaults and what files tell. */
#include "mappers/bert/bert_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mappers/bert/bert_sentence.h"
#include "mappers/bert/bert_tensorflow.h"
#include "mappers/evidence.h"
#include "mappers/labels.h"
#include "runtime/base/alloc.h"

typedef struct bert_reader {
    pml_config_reader base; /* first: `derive` is handed its address */
    bert_sentence sentence;
    pml_evidence evidence;
    const pml_source_tensor *used_positions; /* [1,n,D], what an export of a fixed length left of the table; or NULL */
} bert_reader;

static pml_status derive_head(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error);
static pml_status derive_positions(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error);
static pml_status derive_pooling(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error);
static pml_status derive_normalize(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error);

#define HAS_CLASSIFIER "head == 'sequence_classification' || head == 'token_classification'"

const pml_config_rule pml_bert_keys[] = {
    {.key = "head",
     .source = "architectures",
     .words = "BertModel=none|BertForMaskedLM=masked_lm|BertForPreTraining=pretraining|"
              "BertForSequenceClassification=sequence_classification|"
              "BertForTokenClassification=token_classification|BertForQuestionAnswering=question_answering",
     .null_is_absent = true,
     .is_list = true,
     .is_open = true,
     .must_ask = true,
     .from_tensors = true,
     .derive = derive_head},
    {.key = "vocab_size", .source = "vocab_size", .fallback = "30522"},
    {.key = "max_positions", .source = "max_position_embeddings", .fallback = "512", .derive = derive_positions},
    {.key = "type_vocab_size", .source = "type_vocab_size", .fallback = "2"},
    {.key = "num_hidden_layers", .source = "num_hidden_layers", .fallback = "12"},
    {.key = "d_model", .source = "hidden_size", .fallback = "768"},
    {.key = "num_attention_heads", .source = "num_attention_heads", .fallback = "12", .must_ask = true},
    {.key = "ffn_dim", .source = "intermediate_size", .fallback = "3072"},
    {.key = "activation",
     .source = "hidden_act",
     .words = "gelu=gelu|gelu_python=gelu|gelu_new=gelu_tanh|gelu_pytorch_tanh=gelu_tanh|gelu_python_tanh=gelu_tanh|"
              "gelu_fast=gelu_tanh|gelu_accurate=gelu_tanh|relu=relu|silu=silu|swish=silu|tanh=tanh|sigmoid=sigmoid|"
              "linear=identity",
     .fallback = "gelu",
     .is_open = true,
     .must_ask = true,
     .derive = pml_bert_derive_activation},
    {.key = "norm_eps", .source = "layer_norm_eps", .fallback = "1e-12"},
    {.key = "has_pooler", .from_tensors = true},
    {.key = "tied_decoder", .from_tensors = true},
    {.key = "num_labels", .source = "num_labels", .fallback = "2", .when = HAS_CLASSIFIER, .from_tensors = true},
    {.key = "pooling", .source = "pooling", .fallback = "none", .derive = derive_pooling},
    {.key = "normalize", .source = "normalize", .fallback = "false", .derive = derive_normalize},
    {.key = "hidden_dropout", .source = "hidden_dropout_prob", .fallback = "0.1"},
    {.key = "attention_dropout", .source = "attention_probs_dropout_prob", .fallback = "0.1"},
    {.key = "head_dropout", .source = "classifier_dropout", .when = HAS_CLASSIFIER, .null_is_absent = true},
    {.key = "init_std", .source = "initializer_range", .fallback = "0.02"},
    {.key = NULL}};

static const char *const other_keys[] = {"tie_word_embeddings", "position_embedding_type", "is_decoder",
                                         "add_cross_attention", NULL};

static pml_status copy_text(const char *value, char **text, pml_error *error) {
    return pml_string_copy(value, strlen(value), text, error);
}

/* A checkpoint with both heads is one for pretraining, even where its configuration says masked language model: that is
 * how the first published files are. Nothing that is in the file is left out. */
static pml_status derive_head(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error) {
    pml_status status = PML_OK;
    pml_config_rule plain = *rule;
    plain.derive = NULL;
    PML_TRY(pml_config_get(r, &plain, PML_CONFIG_CHOICE, text, error));
    const pml_config_evidence *e = pml_config_evidence_find(r, "head");
    if (*text != NULL && strcmp(*text, "masked_lm") == 0 && e != NULL && strcmp(e->value, "pretraining") == 0) {
        pml_free(*text);
        *text = NULL;
        PML_TRY(copy_text(e->value, text, error));
        PML_TRY(pml_detection_add(&r->detection->assumed, &r->detection->n_assumed, error,
                                  "head = pretraining (tensor %s stands beside the masked-language head)",
                                  e->tensor->name));
    }
done:
    return status;
}

/* Where only the rows in use are left, the model has no more positions than those, whatever the configuration says. */
static pml_status derive_positions(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error) {
    pml_status status = PML_OK;
    const pml_source_tensor *used = ((const bert_reader *)r)->used_positions;
    pml_config_rule plain = *rule;
    char rows[24];
    plain.derive = NULL;
    PML_TRY(pml_config_get(r, &plain, PML_CONFIG_INT, text, error));
    if (used != NULL) {
        (void)snprintf(rows, sizeof rows, "%" PRIu64, used->shape[1]);
        pml_free(*text);
        *text = NULL;
        PML_TRY(copy_text(rows, text, error));
        PML_TRY(pml_detection_add(&r->detection->assumed, &r->detection->n_assumed, error,
                                  "max_positions = %s (tensor %s: the export kept only the positions that it used)",
                                  rows, used->name));
    }
done:
    return status;
}

static pml_status derive_pooling(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error) {
    pml_status status = PML_OK;
    const bert_sentence *sentence = &((const bert_reader *)r)->sentence;
    pml_config_rule plain = *rule;
    plain.source = NULL; /* a key of ours: only --set gives it */
    plain.words = "none=none|cls=cls|mean=mean|max=max";
    PML_TRY(pml_config_get(r, &plain, PML_CONFIG_CHOICE, text, error));
    if (*text == NULL) {
        PML_TRY(copy_text(sentence->pooling != NULL ? sentence->pooling : "none", text, error));
    }
done:
    return status;
}

static pml_status derive_normalize(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error) {
    pml_status status = PML_OK;
    const bert_sentence *sentence = &((const bert_reader *)r)->sentence;
    pml_config_rule plain = *rule;
    const char *pooling;
    plain.source = NULL;
    PML_TRY(pml_config_get(r, &plain, PML_CONFIG_BOOL, text, error));
    if (*text == NULL) {
        PML_TRY(pml_metadata_get_string(r->config, "config.pooling", &pooling, error));
        PML_TRY(copy_text(sentence->normalize && strcmp(pooling, "none") != 0 ? "true" : "false", text, error));
    }
done:
    return status;
}

/* ---- what is refused ---- */
/* What the class no longer has, or what turns the encoder into a decoder. */
static pml_status refuse_variants(pml_config_reader *r, pml_error *error) {
    static const pml_config_rule positions = {.key = "position_embedding_type",
                                              .source = "position_embedding_type",
                                              .words = "absolute=absolute",
                                              .null_is_absent = true,
                                              .is_open = true};
    static const pml_config_rule flags[] = {
        {.key = "is_decoder", .source = "is_decoder", .null_is_absent = true},
        {.key = "add_cross_attention", .source = "add_cross_attention", .null_is_absent = true}};
    pml_status status = PML_OK;
    char *text = NULL;
    PML_TRY(pml_config_get(r, &positions, PML_CONFIG_CHOICE, &text, error));
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        pml_free(text);
        text = NULL;
        PML_TRY(pml_config_get(r, &flags[i], PML_CONFIG_BOOL, &text, error));
        if (text != NULL && strcmp(text, "true") == 0) {
            PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: %s is true: BERT as a decoder is not supported",
                             r->source->config_name, flags[i].key));
        }
    }
    const cJSON *pruned = cJSON_GetObjectItemCaseSensitive(r->source->config, "pruned_heads");
    if (cJSON_GetArraySize(pruned) > 0) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: pruned_heads is not empty: pruned models are not supported",
                         r->source->config_name));
    }
done:
    pml_free(text);
    return status;
}

/* ---- what the tensors say ---- */
static void examine_head(pml_evidence *e, const pml_facts *facts) {
    const pml_fact *pooler = pml_facts_find(facts, "pooler.weight");
    const pml_fact *predictions = pml_facts_find(facts, "transform.weight");
    const pml_fact *relationship = pml_facts_find(facts, "seq_relationship.weight");
    const pml_fact *classifier = pml_facts_find(facts, "classifier.weight");
    const pml_fact *span = pml_facts_find(facts, "span.weight");
    pml_evidence_add_presence(e, "has_pooler", pooler, "true", "pooler.dense.weight", "false");
    if (predictions != NULL) {
        (void)pml_evidence_add(e, "head", relationship != NULL ? relationship : predictions,
                               relationship != NULL ? "pretraining" : "masked_lm");
    } else if (classifier != NULL) {
        const char *head = pooler != NULL ? "sequence_classification" : "token_classification";
        pml_evidence_add(e, "head", classifier, head)->is_soft = true; /* old token classifiers have an unused pooler */
    } else if (span != NULL) {
        (void)pml_evidence_add(e, "head", span, "question_answering");
    } else {
        pml_evidence_add_absent(
            e, "head", "cls.predictions.transform.dense.weight, classifier.weight or qa_outputs.weight", "none");
    }
}

/* Whether the decoder of the file is the token table: then it is stored once. */
static pml_status examine_decoder(bert_reader *r, const pml_facts *facts, pml_error *error) {
    pml_status status = PML_OK;
    const pml_fact *decoder = pml_facts_find(facts, "decoder.weight");
    const pml_fact *tokens = pml_facts_find(facts, "embedding.token.weight");
    const bool has_head = pml_facts_find(facts, "transform.weight") != NULL;
    bool is_tied = has_head && decoder == NULL;
    if (has_head && decoder != NULL && tokens != NULL && decoder->source->dtype == tokens->source->dtype &&
        decoder->source->size_bytes == tokens->source->size_bytes) {
        const void *a, *b;
        PML_TRY(pml_source_tensor_view(r->base.source->tensors, decoder->source, &a, error));
        PML_TRY(pml_source_tensor_view(r->base.source->tensors, tokens->source, &b, error));
        is_tied = memcmp(a, b, (size_t)tokens->source->size_bytes) == 0;
    }
    const char *value = is_tied ? "true" : "false";
    pml_evidence_add_presence(&r->evidence, "tied_decoder", decoder, value,
                              has_head ? "cls.predictions.decoder.weight" : "cls.predictions.transform.dense.weight",
                              value);
done:
    return status;
}

static pml_status examine(bert_reader *r, const pml_facts *facts, pml_error *error) {
    pml_evidence *e = &r->evidence;
    bool has_table = false;
    for (size_t i = 0; i < facts->count; i++) {
        const pml_fact *fact = &facts->items[i];
        if (fact->target != NULL && strcmp(fact->target, "embedding.position.weight") == 0) {
            has_table = has_table || fact->source->rank != 3;
            r->used_positions = fact->source;
        }
    }
    r->used_positions = has_table ? NULL : r->used_positions;
    pml_evidence_add_axis(e, facts, "vocab_size", "embedding.token.weight", 0);
    pml_evidence_add_axis(e, facts, "d_model", "embedding.token.weight", 1);
    pml_evidence_add_axis(e, facts, "max_positions", "embedding.position.weight", 0);
    pml_evidence_add_axis(e, facts, "type_vocab_size", "embedding.type.weight", 0);
    pml_evidence_add_outputs(e, facts, "ffn_dim", "encoder.layer.0.ffn.up.weight");
    pml_evidence_add_outputs(e, facts, "num_labels", "classifier.weight");
    pml_evidence_add_layers(e, facts, "encoder.layer");
    examine_head(e, facts);
    return examine_decoder(r, facts, error);
}

/* ---- what keys and tensors say together ---- */
static bool is_true(const pml_config_reader *r, const char *expression) {
    int64_t value = 0;
    return pml_schema_eval(r->schema, r->config, expression, -1, &value, NULL) == PML_OK && value != 0;
}

/* tie_word_embeddings false asks for a decoder of its own. Where the file has one, the file decides. */
static pml_status check_tie(pml_config_reader *r, pml_error *error) {
    static const pml_config_rule rule = {.key = "tie_word_embeddings", .source = "tie_word_embeddings"};
    pml_status status = PML_OK;
    char *text = NULL;
    PML_TRY(pml_config_get(r, &rule, PML_CONFIG_BOOL, &text, error));
    const pml_config_evidence *e = pml_config_evidence_find(r, "tied_decoder");
    if (text != NULL && strcmp(text, "false") == 0 && is_true(r, "is_tied") && e != NULL && e->tensor == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: tie_word_embeddings is false, but there is no tensor %s",
                         r->source->config_name, e->absent));
    }
done:
    pml_free(text);
    return status;
}

static pml_status check_dimension(const bert_reader *r, pml_error *error) {
    pml_status status = PML_OK;
    int64_t d_model;
    PML_TRY(pml_schema_eval(r->base.schema, r->base.config, "d_model", -1, &d_model, error));
    if (r->sentence.dimension > 0 && r->sentence.dimension != d_model) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: vectors of %lld values, but the model's have %lld", PML_BERT_POOLING,
                         (long long)r->sentence.dimension, (long long)d_model));
    }
done:
    return status;
}

/* What programs that know no family ask for. */
static pml_status set_text(const bert_reader *r, pml_error *error) {
    pml_status status = PML_OK;
    pml_metadata *config = r->base.config;
    int64_t max_tokens;
    PML_TRY(pml_schema_eval(r->base.schema, config, "max_positions", -1, &max_tokens, error));
    if (r->sentence.max_tokens > 0 && r->sentence.max_tokens < max_tokens) {
        max_tokens = r->sentence.max_tokens;
    }
    PML_TRY(pml_metadata_set_i64(config, "text.max_tokens", max_tokens, error));
    if (is_true(&r->base, "has_classifier")) {
        PML_TRY(pml_map_set_labels(&r->base, error));
    }
    if (is_true(&r->base, "pooling != 'none'")) {
        const char *pooling;
        bool normalize;
        PML_TRY(pml_metadata_get_string(config, "config.pooling", &pooling, error));
        PML_TRY(pml_metadata_get_bool(config, "config.normalize", &normalize, error));
        PML_TRY(pml_metadata_set_string(config, "text.pooling", pooling, error));
        PML_TRY(pml_metadata_set_bool(config, "text.normalize", normalize, error));
    }
done:
    return status;
}

static pml_status describe(const pml_config_reader *r, pml_detection *d, pml_error *error) {
    static const char *const names[][2] = {{"none", "model"},
                                           {"masked_lm", "masked-lm"},
                                           {"pretraining", "pretraining"},
                                           {"sequence_classification", "sequence-classification"},
                                           {"token_classification", "token-classification"},
                                           {"question_answering", "question-answering"}};
    pml_status status = PML_OK;
    const char *head, *variant = "", *pooling;
    int64_t n_layers, d_model;
    PML_TRY(pml_metadata_get_string(r->config, "config.head", &head, error));
    PML_TRY(pml_metadata_get_string(r->config, "config.pooling", &pooling, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "num_hidden_layers", -1, &n_layers, error));
    PML_TRY(pml_schema_eval(r->schema, r->config, "d_model", -1, &d_model, error));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        variant = strcmp(names[i][0], head) == 0 ? names[i][1] : variant;
    }
    const bool is_pooled = strcmp(pooling, "none") != 0;
    PML_TRY(pml_detection_set(&d->variant, error, "%s: %" PRId64 " layers of %" PRId64 "%s%s%s%s%s", variant, n_layers,
                              d_model, is_true(r, "has_pooler") ? ", pooler" : "",
                              is_true(r, "has_decoder && !tied_decoder") ? ", decoder of its own" : "",
                              is_pooled ? ", sentences by " : "", is_pooled ? pooling : "",
                              is_true(r, "normalize") ? ", normalized" : ""));
done:
    return status;
}

pml_status pml_bert_config(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                           pml_error *error) {
    pml_status status = PML_OK;
    pml_facts facts = {0};
    bert_reader r = {.base = {.source = source,
                              .schema = pml_schema_find("bert"),
                              .detection = detection,
                              .config = config,
                              .other_keys = other_keys}};
    PML_TRY(refuse_variants(&r.base, error));
    PML_TRY(pml_bert_sentence_read(source, &r.sentence, error));
    PML_TRY(pml_facts_collect(source, detection->mapper, detection->dialect, &facts, error));
    PML_TRY(pml_bert_check_repeated(source, &facts, error));
    PML_TRY(examine(&r, &facts, error));
    r.base.evidence = r.evidence.items;
    r.base.n_evidence = r.evidence.count;
    PML_TRY(pml_config_read(&r.base, pml_bert_keys, error));
    PML_TRY(pml_config_blame(source, pml_schema_check_config(r.base.schema, config, error), error));
    PML_TRY(pml_config_settle(&r.base, pml_bert_keys, error));
    PML_TRY(check_tie(&r.base, error));
    PML_TRY(check_dimension(&r, error));
    PML_TRY(set_text(&r, error));
    PML_TRY(describe(&r.base, detection, error));
done:
    pml_facts_deinit(&facts);
    return status;
}
