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
    PML_TRY(pml_model_config_dropout(model, "hidden_dropout", &net->hidden_dropout, error));
    PML_TRY(pml_model_config_dropout(model, "attention_dropout", &net->attention_dropout, error));
    net->head_dropout = net->hidden_dropout;
    if (pml_metadata_find(pml_model_metadata(model), "config.head_dropout") != NULL) {
        PML_TRY(pml_model_config_dropout(model, "head_dropout", &net->head_dropout, error));
    }
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

static pml_status load_layer(pml_model *model, const bert *net, size_t i_layer, bert_layer *layer, pml_error *error) {
    pml_status status = PML_OK;
    *layer = (bert_layer){0};
    const struct {
        const char *name;
        pml_linear *linear;
    } linears[] = {{"attention.q", &layer->q},     {"attention.k", &layer->k}, {"attention.v", &layer->v},
                   {"attention.out", &layer->out}, {"ffn.up", &layer->up},     {"ffn.down", &layer->down}};
    char name[96];
    for (size_t i = 0; i < sizeof linears / sizeof linears[0]; i++) {
        snprintf(name, sizeof name, "encoder.layer.%zu.%s", i_layer, linears[i].name);
        PML_TRY(pml_linear_load(model, name, true, linears[i].linear, error));
    }
    snprintf(name, sizeof name, "encoder.layer.%zu.norm1", i_layer);
    PML_TRY(pml_norm_load(model, name, PML_NORM_LAYER, net->norm_eps, &layer->norm1, error));
    snprintf(name, sizeof name, "encoder.layer.%zu.norm2", i_layer);
    PML_TRY(pml_norm_load(model, name, PML_NORM_LAYER, net->norm_eps, &layer->norm2, error));

done:
    return status;
}

static pml_status load_head(pml_model *model, bert *net, pml_error *error) {
    pml_status status = PML_OK;
    if (net->has_pooler) {
        PML_TRY(pml_linear_load(model, "pooler", true, &net->pooler, error));
    }
    switch (net->head) {
    case BERT_HEAD_MASKED_LM:
    case BERT_HEAD_PRETRAINING:
        PML_TRY(pml_linear_load(model, "transform", true, &net->transform, error));
        PML_TRY(pml_norm_load(model, "transform.norm", PML_NORM_LAYER, net->norm_eps, &net->transform_norm, error));
        PML_TRY(pml_model_weight(model, &net->decoder.bias, error, "decoder.bias"));
        net->decoder.has_bias = true;
        net->decoder.weight = net->tokens;
        if (!net->is_tied) {
            PML_TRY(pml_model_weight(model, &net->decoder.weight, error, "decoder.weight"));
        }
        if (net->head == BERT_HEAD_PRETRAINING) {
            PML_TRY(pml_linear_load(model, "seq_relationship", true, &net->seq_relationship, error));
        }
        break;
    case BERT_HEAD_SEQUENCE:
    case BERT_HEAD_TOKEN:
        PML_TRY(pml_linear_load(model, "classifier", true, &net->classifier, error));
        break;
    case BERT_HEAD_QUESTION:
        PML_TRY(pml_linear_load(model, "span", true, &net->span, error));
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
    PML_TRY(pml_norm_load(model, "embedding.norm", PML_NORM_LAYER, net->norm_eps, &net->embedding_norm, error));
    PML_TRY(pml_arena_alloc(&pml_model_context(model)->model, net->n_layers, sizeof *net->layers, &net->layers, error));
    for (size_t i = 0; i < net->n_layers; i++) {
        PML_TRY(load_layer(model, net, i, &net->layers[i], error));
    }
    PML_TRY(load_head(model, net, error));

done:
    return status;
}
