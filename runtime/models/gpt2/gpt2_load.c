/* GPT-2: configuration and weights. */
#include <math.h>
#include <stdio.h>

#include "runtime/models/gpt2/gpt2.h"

static pml_status load_config(const pml_model *model, gpt2 *net, pml_error *error) {
    static const char *const heads[] = {"none", "language_model", "sequence_classification", NULL};
    pml_status status = PML_OK;
    size_t head;
    bool tied_head;
    PML_TRY(pml_model_config_choice(model, "head", heads, &head, error));
    PML_TRY(pml_model_config_activation(model, "activation", &net->activation, error));
    PML_TRY(pml_model_config_size(model, "max_positions", &net->n_positions, error));
    PML_TRY(pml_model_config_size(model, "num_hidden_layers", &net->n_layers, error));
    PML_TRY(pml_model_config_size(model, "d_model", &net->d_model, error));
    PML_TRY(pml_model_config_size(model, "num_attention_heads", &net->n_heads, error));
    PML_TRY(pml_model_config_size(model, "ffn_dim", &net->ffn_dim, error));
    PML_TRY(pml_model_config_size(model, "vocab_size", &net->vocab_size, error));
    PML_TRY(pml_model_config_size(model, "num_labels", &net->n_labels, error));
    PML_TRY(pml_model_config_real(model, "norm_eps", &net->norm_eps, error));
    PML_TRY(pml_model_config_bool(model, "has_bias", &net->has_bias, error));
    PML_TRY(pml_model_config_bool(model, "tied_head", &tied_head, error));
    PML_TRY(pml_model_config_dropout(model, "embedding_dropout", &net->embedding_dropout, error));
    PML_TRY(pml_model_config_dropout(model, "attention_dropout", &net->attention_dropout, error));
    PML_TRY(pml_model_config_dropout(model, "hidden_dropout", &net->hidden_dropout, error));
    if (pml_metadata_find(pml_model_metadata(model), "config.pad_token") != NULL) {
        PML_TRY(pml_model_config_size(model, "pad_token", &net->pad_token, error));
    } else {
        net->pad_token = GPT2_NO_TOKEN;
    }
    net->head = (gpt2_head)head;
    net->is_tied = net->head == GPT2_HEAD_LANGUAGE && tied_head;

done:
    return status;
}

static pml_status load_norm(pml_model *model, const gpt2 *net, const char *name, pml_norm *norm, pml_error *error) {
    pml_status status = PML_OK;
    *norm = (pml_norm){.kind = PML_NORM_LAYER, .eps = net->norm_eps};
    if (net->has_bias) {
        PML_TRY(pml_norm_load(model, name, PML_NORM_LAYER, net->norm_eps, norm, error));
    } else {
        PML_TRY(pml_model_weight(model, &norm->weight, error, "%s.weight", name));
    }

done:
    return status;
}

static pml_status load_layer(pml_model *model, const gpt2 *net, size_t i_layer, gpt2_layer *layer, pml_error *error) {
    pml_status status = PML_OK;
    bool scale_scores, scale_by_layer;
    *layer = (gpt2_layer){0};
    const struct {
        const char *name;
        pml_linear *linear;
    } linears[] = {{"attention.q", &layer->q},     {"attention.k", &layer->k}, {"attention.v", &layer->v},
                   {"attention.out", &layer->out}, {"ffn.up", &layer->up},     {"ffn.down", &layer->down}};
    char name[96];
    for (size_t i = 0; i < sizeof linears / sizeof linears[0]; i++) {
        snprintf(name, sizeof name, "decoder.layer.%zu.%s", i_layer, linears[i].name);
        PML_TRY(pml_linear_load(model, name, net->has_bias, linears[i].linear, error));
    }
    snprintf(name, sizeof name, "decoder.layer.%zu.norm1", i_layer);
    PML_TRY(load_norm(model, net, name, &layer->norm1, error));
    snprintf(name, sizeof name, "decoder.layer.%zu.norm2", i_layer);
    PML_TRY(load_norm(model, net, name, &layer->norm2, error));
    PML_TRY(pml_model_config_bool(model, "scale_scores", &scale_scores, error));
    PML_TRY(pml_model_config_bool(model, "scale_by_layer", &scale_by_layer, error));
    const double width = scale_scores ? sqrt((double)(net->d_model / net->n_heads)) : 1.0;
    layer->scale = (float)(1.0 / width / (scale_by_layer ? (double)(i_layer + 1) : 1.0));

done:
    return status;
}

pml_status pml_gpt2_load(pml_model *model, pml_error *error) {
    pml_status status = PML_OK;
    gpt2 *net = pml_model_data(model);
    PML_TRY(load_config(model, net, error));
    PML_TRY(pml_model_weight(model, &net->tokens, error, "embedding.token.weight"));
    PML_TRY(pml_model_weight(model, &net->positions, error, "embedding.position.weight"));
    PML_TRY(pml_arena_alloc(&pml_model_context(model)->model, net->n_layers, sizeof *net->layers, &net->layers, error));
    for (size_t i = 0; i < net->n_layers; i++) {
        PML_TRY(load_layer(model, net, i, &net->layers[i], error));
    }
    PML_TRY(load_norm(model, net, "decoder.norm", &net->norm, error));
    if (net->is_tied) {
        net->scores.weight = net->tokens;
    } else if (net->head != GPT2_HEAD_NONE) {
        const char *name = net->head == GPT2_HEAD_LANGUAGE ? "head" : "classifier";
        PML_TRY(pml_linear_load(model, name, false, &net->scores, error));
    }

done:
    return status;
}
