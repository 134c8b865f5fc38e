/* Configuration and weights of runtime/models/seasonal.h. */
#include <stdio.h>

#include "runtime/models/seasonal.h"

#define NORM_EPS 1e-5

static pml_status load_attention(pml_model *model, const char *name, pml_seasonal_attention *attention,
                                 pml_error *error) {
    const struct {
        const char *name;
        pml_linear *linear;
    } parts[] = {{"q", &attention->q}, {"k", &attention->k}, {"v", &attention->v}, {"out", &attention->out}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char part[96];
        snprintf(part, sizeof part, "%s.%s", name, parts[i].name);
        pml_status status = pml_linear_load(model, part, true, parts[i].linear, error);
        if (status != PML_OK) {
            return status;
        }
    }
    return PML_OK;
}

static pml_status load_layer(pml_model *model, const char *stack, size_t i_layer, bool is_decoder,
                             pml_seasonal_layer *layer, pml_error *error) {
    pml_status status = PML_OK;
    char name[64];
    *layer = (pml_seasonal_layer){0};
    snprintf(name, sizeof name, "%s.layer.%zu.attention", stack, i_layer);
    PML_TRY(load_attention(model, name, &layer->attention, error));
    snprintf(name, sizeof name, "%s.layer.%zu.ffn.up", stack, i_layer);
    PML_TRY(pml_linear_load(model, name, false, &layer->up, error));
    snprintf(name, sizeof name, "%s.layer.%zu.ffn.down", stack, i_layer);
    PML_TRY(pml_linear_load(model, name, false, &layer->down, error));
    if (is_decoder) {
        snprintf(name, sizeof name, "%s.layer.%zu.cross", stack, i_layer);
        PML_TRY(load_attention(model, name, &layer->cross, error));
        snprintf(name, sizeof name, "%s.layer.%zu.trend", stack, i_layer);
        PML_TRY(pml_linear_load(model, name, false, &layer->trend, error));
    }

done:
    return status;
}

static pml_status load_sizes(const pml_model *model, pml_seasonal *net, pml_error *error) {
    const struct {
        const char *key;
        size_t *value;
    } sizes[] = {{"num_input_channels", &net->n_channels},
                 {"context_length", &net->context_length},
                 {"label_length", &net->label_length},
                 {"prediction_length", &net->horizon},
                 {"num_encoder_layers", &net->n_encoder_layers},
                 {"num_decoder_layers", &net->n_decoder_layers},
                 {"d_model", &net->d_model},
                 {"ffn_dim", &net->ffn_dim}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        pml_status status = pml_model_config_size(model, sizes[i].key, sizes[i].value, error);
        if (status != PML_OK) {
            return status;
        }
    }
    return pml_model_config_activation(model, "activation", &net->activation, error);
}

pml_status pml_seasonal_load(pml_model *model, pml_seasonal *net, pml_error *error) {
    pml_status status = PML_OK;
    pml_arena *arena = &pml_model_context(model)->model;
    PML_TRY(load_sizes(model, net, error));
    PML_TRY(pml_model_config_dropout(model, "dropout", &net->dropout, error));
    PML_TRY(pml_data_embedding_load(model, "encoder.embedding", &net->encoder_embedding, error));
    PML_TRY(pml_data_embedding_load(model, "decoder.embedding", &net->decoder_embedding, error));
    PML_TRY(pml_arena_alloc(arena, net->n_encoder_layers, sizeof *net->encoder_layers, &net->encoder_layers, error));
    for (size_t i = 0; i < net->n_encoder_layers; i++) {
        PML_TRY(load_layer(model, "encoder", i, false, &net->encoder_layers[i], error));
    }
    PML_TRY(pml_arena_alloc(arena, net->n_decoder_layers, sizeof *net->decoder_layers, &net->decoder_layers, error));
    for (size_t i = 0; i < net->n_decoder_layers; i++) {
        PML_TRY(load_layer(model, "decoder", i, true, &net->decoder_layers[i], error));
    }
    PML_TRY(pml_norm_load(model, "encoder.norm", PML_NORM_LAYER, NORM_EPS, &net->encoder_norm, error));
    PML_TRY(pml_norm_load(model, "decoder.norm", PML_NORM_LAYER, NORM_EPS, &net->decoder_norm, error));
    PML_TRY(pml_linear_load(model, "head", true, &net->head, error));

done:
    return status;
}
