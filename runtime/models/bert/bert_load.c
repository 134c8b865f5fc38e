/* BERT: configuration and weights. */
#include <stdio.h>

#include "runtime/models/bert/bert.h"

static pml_status load_config(const pml_model *model, bert *net, pml_error *error) {
    static const char *const heads[] = {
        "none", "masked_lm", "pretraining", "sequence_classification", "token_classification", "question_answering",
        NULL};
    static const char *const poolings[] = {"none", "cls", "mean", "max", NULL};
    pml_status status = PML_OK;
    size_t head, pooling, n_labels, vocab_size;
    bool tied_decoder;
    PML_TRY(pml_model_config_choice(model, "head", heads, &head, error));
    PML_TRY(pml_model_config_choice(model, "pooling", poolings, &pooling, error));
    PML_TRY(pml_model_config_activation(model, "activation", &net->activation, error));
    PML_TRY(pml_model_config_size(model, "max_positions", &net->n_positions, error));
    PML_TRY(pml_model_config_size(model, "num_hidden_layers", &net->n_layers, error));
    PML_TRY(pml_model_config_size(model, "d_model", &net->d_model, error));
    PML_TRY(pml_model_config_size(model, "num_attention_heads", &net->n_heads, error));
    PML_TRY(pml_model_config_size(model, "ffn_dim", &net->ffn_dim, error));
    PML_TRY(pml_model_config_size(model, "num_labels", &n_labels, error));
    PML_TRY(pml_model_config_size(model, "vocab_size", &vocab_size, error));
    PML_TRY(pml_model_config_real(model, "norm_eps", &net->norm_eps, error));
    PML_TRY(pml_model_config_bool(model, "has_pooler", &net->has_pooler, error));
    PML_TRY(pml_model_config_bool(model, "tied_decoder", &tied_decoder, error));
    PML_TRY(pml_model_config_bool(model, "normalize", &net->normalize, error));
    net->head = (bert_head)head;
    net->pooling = (bert_pooling)pooling;
    const bool has_decoder = net->head == BERT_HEAD_MASKED_LM || net->head == BERT_HEAD_PRETRAINING;
    net->is_tied = has_decoder && tied_decoder;
    net->n_per_token = has_decoder                       ? vocab_size
                       : net->head == BERT_HEAD_TOKEN    ? n_labels
                       : net->head == BERT_HEAD_QUESTION ? 2
                                                         : 0;

done:
    return status;
}

static pml_status load_linear(pml_model *model, const char *name, bert_linear *linear, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_model_weight(model, &linear->weight, error, "%s.weight", name));
    PML_TRY(pml_model_weight(model, &linear->bias, error, "%s.bias", name));

done:
    return status;
}

static pml_status load_norm(pml_model *model, const bert *net, const char *name, pml_norm *norm, pml_error *error) {
    pml_status status = PML_OK;
    norm->kind = PML_NORM_LAYER;
    norm->eps = net->norm_eps;
    PML_TRY(pml_model_weight(model, &norm->weight, error, "%s.weight", name));
    PML_TRY(pml_model_weight(model, &norm->bias, error, "%s.bias", name));

done:
    return status;
}

static pml_status load_layer(pml_model *model, const bert *net, size_t i_layer, bert_layer *layer, pml_error *error) {
    pml_status status = PML_OK;
    *layer = (bert_layer){0};
    const struct {
        const char *name;
        bert_linear *linear;
    } linears[] = {{"attention.q", &layer->q},     {"attention.k", &layer->k}, {"attention.v", &layer->v},
                   {"attention.out", &layer->out}, {"ffn.up", &layer->up},     {"ffn.down", &layer->down}};
    char name[96];
    for (size_t i = 0; i < sizeof linears / sizeof linears[0]; i++) {
        snprintf(name, sizeof name, "encoder.layer.%zu.%s", i_layer, linears[i].name);
        PML_TRY(load_linear(model, name, linears[i].linear, error));
    }
    snprintf(name, sizeof name, "encoder.layer.%zu.norm1", i_layer);
    PML_TRY(load_norm(model, net, name, &layer->norm1, error));
    snprintf(name, sizeof name, "encoder.layer.%zu.norm2", i_layer);
    PML_TRY(load_norm(model, net, name, &layer->norm2, error));

done:
    return status;
}

static pml_status load_head(pml_model *model, bert *net, pml_error *error) {
    pml_status status = PML_OK;
    if (net->has_pooler) {
        PML_TRY(load_linear(model, "pooler", &net->pooler, error));
    }
    switch (net->head) {
    case BERT_HEAD_MASKED_LM:
    case BERT_HEAD_PRETRAINING:
        PML_TRY(load_linear(model, "transform", &net->transform, error));
        PML_TRY(load_norm(model, net, "transform.norm", &net->transform_norm, error));
        PML_TRY(pml_model_weight(model, &net->decoder.bias, error, "decoder.bias"));
        net->decoder.weight = net->tokens;
        if (!net->is_tied) {
            PML_TRY(pml_model_weight(model, &net->decoder.weight, error, "decoder.weight"));
        }
        if (net->head == BERT_HEAD_PRETRAINING) {
            PML_TRY(load_linear(model, "seq_relationship", &net->seq_relationship, error));
        }
        break;
    case BERT_HEAD_SEQUENCE:
    case BERT_HEAD_TOKEN:
        PML_TRY(load_linear(model, "classifier", &net->classifier, error));
        break;
    case BERT_HEAD_QUESTION:
        PML_TRY(load_linear(model, "span", &net->span, error));
        break;
    case BERT_HEAD_NONE:
        break;
    }

done:
    return status;
}

pml_status pml_bert_load(pml_model *model, pml_error *error) {
    pml_status status = PML_OK;
    bert *net = pml_model_data(model);
    PML_TRY(load_config(model, net, error));
    PML_TRY(pml_model_weight(model, &net->tokens, error, "embedding.token.weight"));
    PML_TRY(pml_model_weight(model, &net->positions, error, "embedding.position.weight"));
    PML_TRY(pml_model_weight(model, &net->types, error, "embedding.type.weight"));
    PML_TRY(load_norm(model, net, "embedding.norm", &net->embedding_norm, error));
    PML_TRY(pml_arena_alloc(&pml_model_context(model)->model, net->n_layers, sizeof *net->layers, &net->layers, error));
    for (size_t i = 0; i < net->n_layers; i++) {
        PML_TRY(load_layer(model, net, i, &net->layers[i], error));
    }
    PML_TRY(load_head(model, net, error));

done:
    return status;
}
