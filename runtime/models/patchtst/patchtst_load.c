/* PatchTST: configuration and weights. */
#include <stdio.h>

#include "runtime/models/patchtst/patchtst.h"

static pml_status load_choices(const pml_model *model, patchtst *net, pml_error *error) {
    static const char *const heads[] = {"none", "prediction", "pretraining", "classification", "regression", NULL};
    static const char *const norms[] = {"layernorm", "batchnorm", NULL};
    static const char *const scalings[] = {"none", "std", "mean", NULL};
    static const char *const poolings[] = {"none", "mean", "max", NULL};
    static const char *const distributions[] = {"none", "student_t", "normal", "negative_binomial", NULL};
    pml_status status = PML_OK;
    size_t head, norm, scaling, pooling, distribution;
    PML_TRY(pml_model_config_choice(model, "head", heads, &head, error));
    PML_TRY(pml_model_config_choice(model, "norm_type", norms, &norm, error));
    PML_TRY(pml_model_config_choice(model, "scaling", scalings, &scaling, error));
    PML_TRY(pml_model_config_choice(model, "pooling", poolings, &pooling, error));
    PML_TRY(pml_model_config_choice(model, "distribution", distributions, &distribution, error));
    PML_TRY(pml_model_config_activation(model, "activation", &net->activation, error));
    net->head = (patchtst_head)head;
    net->norm_kind = norm == 0 ? PML_NORM_LAYER : PML_NORM_BATCH;
    net->scaling = scaling == 0 ? PML_INSTANCE_NONE : scaling == 1 ? PML_INSTANCE_STD : PML_INSTANCE_MEAN;
    net->pooling = (patchtst_pooling)pooling;
    net->distribution = (patchtst_distribution)distribution;

done:
    return status;
}

static pml_status load_config(const pml_model *model, patchtst *net, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(load_choices(model, net, error));
    PML_TRY(pml_model_config_size(model, "num_input_channels", &net->n_channels, error));
    PML_TRY(pml_model_config_size(model, "context_length", &net->context_length, error));
    PML_TRY(pml_model_config_size(model, "patch_length", &net->patch_length, error));
    PML_TRY(pml_model_config_size(model, "patch_stride", &net->patch_stride, error));
    PML_TRY(pml_model_config_size(model, "num_hidden_layers", &net->n_layers, error));
    PML_TRY(pml_model_config_size(model, "d_model", &net->d_model, error));
    PML_TRY(pml_model_config_size(model, "num_attention_heads", &net->n_heads, error));
    PML_TRY(pml_model_config_size(model, "ffn_dim", &net->ffn_dim, error));
    PML_TRY(pml_model_config_size(model, "prediction_length", &net->horizon, error));
    PML_TRY(pml_model_config_size(model, "num_targets", &net->n_targets, error));
    PML_TRY(pml_model_config_real(model, "norm_eps", &net->norm_eps, error));
    PML_TRY(pml_model_config_real(model, "mask_value", &net->mask_value, error));
    PML_TRY(pml_model_config_bool(model, "pre_norm", &net->pre_norm, error));
    PML_TRY(pml_model_config_bool(model, "channel_attention", &net->channel_attention, error));
    PML_TRY(pml_model_config_bool(model, "use_cls_token", &net->use_cls_token, error));
    PML_TRY(pml_model_config_bool(model, "do_mask_input", &net->do_mask_input, error));
    net->n_patches = (net->context_length - net->patch_length) / net->patch_stride + 1;
    net->n_tokens = net->n_patches + (net->use_cls_token ? 1 : 0);
    net->n_head_outputs = net->head == PATCHTST_HEAD_NONE           ? 0
                          : net->distribution == PATCHTST_POINT     ? 1
                          : net->distribution == PATCHTST_STUDENT_T ? 3
                                                                    : 2;
    const pml_meta_entry *range = pml_metadata_find(pml_model_metadata(model), "config.output_range");
    if (range != NULL) {
        if (range->type != PML_META_F64_ARRAY || range->count != 2) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "config key 'output_range' does not hold two numbers"));
        }
        net->has_output_range = true;
        net->output_range[0] = range->value.f64s[0];
        net->output_range[1] = range->value.f64s[1];
    }

done:
    return status;
}

static pml_status load_linear(pml_model *model, const char *name, bool has_bias, patchtst_linear *linear,
                              pml_error *error) {
    pml_status status = PML_OK;
    linear->has_bias = has_bias;
    PML_TRY(pml_model_weight(model, &linear->weight, error, "%s.weight", name));
    if (has_bias) {
        PML_TRY(pml_model_weight(model, &linear->bias, error, "%s.bias", name));
    }

done:
    return status;
}

static pml_status load_norm(pml_model *model, const patchtst *net, const char *name, pml_norm *norm, pml_error *error) {
    pml_status status = PML_OK;
    norm->kind = net->norm_kind;
    norm->eps = net->norm_eps;
    PML_TRY(pml_model_weight(model, &norm->weight, error, "%s.weight", name));
    PML_TRY(pml_model_weight(model, &norm->bias, error, "%s.bias", name));
    if (net->norm_kind == PML_NORM_BATCH) {
        PML_TRY(pml_model_weight(model, &norm->mean, error, "%s.mean", name));
        PML_TRY(pml_model_weight(model, &norm->variance, error, "%s.var", name));
    }

done:
    return status;
}

static pml_status load_layer(pml_model *model, const patchtst *net, size_t i_layer, bool ffn_bias,
                             patchtst_layer *layer, pml_error *error) {
    pml_status status = PML_OK;
    *layer = (patchtst_layer){0};
    const struct {
        const char *name;
        patchtst_linear *linear;
        bool has_bias;
    } linears[] = {{"attention.q", &layer->q, true}, {"attention.k", &layer->k, true},
                   {"attention.v", &layer->v, true}, {"attention.out", &layer->out, true},
                   {"ffn.up", &layer->up, ffn_bias}, {"ffn.down", &layer->down, ffn_bias}};
    const struct {
        const char *name;
        pml_norm *norm;
        bool exists;
    } norms[] = {{"norm1", &layer->norm1, true},
                 {"norm2", &layer->norm2, net->channel_attention},
                 {"norm3", &layer->norm3, true}};
    char name[96];
    for (size_t i = 0; i < sizeof linears / sizeof linears[0]; i++) {
        snprintf(name, sizeof name, "encoder.layer.%zu.%s", i_layer, linears[i].name);
        PML_TRY(load_linear(model, name, linears[i].has_bias, linears[i].linear, error));
    }
    for (size_t i = 0; i < sizeof norms / sizeof norms[0]; i++) {
        if (norms[i].exists) {
            snprintf(name, sizeof name, "encoder.layer.%zu.%s", i_layer, norms[i].name);
            PML_TRY(load_norm(model, net, name, norms[i].norm, error));
        }
    }

done:
    return status;
}

pml_status pml_patchtst_load(pml_model *model, pml_error *error) {
    pml_status status = PML_OK;
    patchtst *net = pml_model_data(model);
    bool ffn_bias = true;
    PML_TRY(load_config(model, net, error));
    PML_TRY(pml_model_config_bool(model, "ffn_bias", &ffn_bias, error));
    PML_TRY(load_linear(model, "patch_embedding", true, &net->embedding, error));
    PML_TRY(pml_model_weight(model, &net->position, error, "position"));
    if (net->use_cls_token) {
        PML_TRY(pml_model_weight(model, &net->cls_token, error, "cls_token"));
    }
    PML_TRY(pml_arena_alloc(&pml_model_context(model)->model, net->n_layers, sizeof *net->layers, &net->layers, error));
    for (size_t i = 0; i < net->n_layers; i++) {
        PML_TRY(load_layer(model, net, i, ffn_bias, &net->layers[i], error));
    }
    for (size_t i = 0; i < net->n_head_outputs; i++) {
        char name[32];
        snprintf(name, sizeof name, "head.%zu", i);
        PML_TRY(load_linear(model, name, true, &net->heads[i], error));
    }

done:
    return status;
}
