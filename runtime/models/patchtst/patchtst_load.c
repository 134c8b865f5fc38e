/* PatchTST: configuration and weights. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/models/patchtst/patchtst.h"

static pml_status load_choices(const pml_model *model, patchtst *net, pml_error *error) {
    static const char *const heads[] = {"none", "prediction", "pretraining", "classification", "regression", NULL};
    static const char *const norms[] = {"layernorm", "batchnorm", NULL};
    static const char *const scalings[] = {"none", "std", "mean", NULL};
    static const pml_instance_scaling kinds[] = {PML_INSTANCE_NONE, PML_INSTANCE_STD, PML_INSTANCE_MEAN};
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
    net->scaling = kinds[scaling];
    net->pooling = (patchtst_pooling)pooling;
    bool is_last, is_from_last;
    PML_TRY(pml_model_eval_flag(model, "last_token_head", &is_last, error));
    PML_TRY(pml_model_eval_flag(model, "scaling_from_last", &is_from_last, error));
    net->pooling = is_last ? PATCHTST_LAST : net->pooling;
    net->scaling = is_from_last ? PML_INSTANCE_STD_LAST : net->scaling;
    net->distribution = (patchtst_distribution)distribution;

done:
    return status;
}

/* Keys that may be absent, as expressions see them. */
static pml_status load_derived(const pml_model *model, patchtst *net, pml_error *error) {
    const struct {
        const char *expression;
        bool *flag;
        size_t *size;
    } values[] = {{"patch_alignment == 'start'", &net->starts_aligned, NULL},
                  {"patch_axes == 'patches'", &net->patches_first, NULL},
                  {"residual_attention", &net->residual_attention, NULL},
                  {"pre_norm && normed_residual", &net->normed_residual, NULL},
                  {"final_norm != 'none'", &net->has_final_norm, NULL},
                  {"scaling_affine", &net->scaling_affine, NULL},
                  {"padding == 'end' ? patch_stride : 0", NULL, &net->n_padding},
                  {"drops_attention_twice", &net->drops_attention_twice, NULL},
                  {"drops_forecast", &net->drops_forecast, NULL},
                  {"decomposition_kernel", NULL, &net->decomposition_kernel},
                  {"n_patches", NULL, &net->n_patches},
                  {"n_tokens", NULL, &net->n_tokens}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        int64_t value;
        pml_status status = pml_schema_eval(pml_model_schema(model), pml_model_metadata(model), values[i].expression,
                                            -1, &value, error);
        if (status != PML_OK) {
            return status;
        }
        if (values[i].flag != NULL) {
            *values[i].flag = value != 0;
        } else {
            *values[i].size = (size_t)value; /* of checked configurations: never negative, bounded by T + stride */
        }
    }
    return PML_OK;
}

/* Patches that the list `key` of the configuration names. */
static const int64_t *find_list(const pml_model *model, const char *key, size_t *count) {
    const pml_meta_entry *entry = pml_metadata_find(pml_model_metadata(model), key);
    const bool is_list = entry != NULL && entry->type == PML_META_I64_ARRAY;
    *count = is_list ? (size_t)entry->count : 0;
    return is_list ? entry->value.i64s : NULL;
}

/* Hugging Face's values where the configuration says nothing. */
static pml_status load_masking(const pml_model *model, patchtst *net, pml_error *error) {
    pml_status status = PML_OK;
    const pml_metadata *metadata = pml_model_metadata(model);
    const char *type = "random";
    if (pml_metadata_find(metadata, "config.mask_type") != NULL) {
        PML_TRY(pml_metadata_get_string(metadata, "config.mask_type", &type, error));
    }
    net->masking.ratio = 0.5;
    if (pml_metadata_find(metadata, "config.random_mask_ratio") != NULL) {
        PML_TRY(pml_model_config_real(model, "random_mask_ratio", &net->masking.ratio, error));
    }
    if (pml_metadata_find(metadata, "config.channel_consistent_masking") != NULL) {
        PML_TRY(pml_model_config_bool(model, "channel_consistent_masking", &net->masking.is_same_for_channels, error));
    }
    net->masking.shown = find_list(model, "config.unmasked_channel_indices", &net->masking.n_shown);
    if (strcmp(type, "forecast") == 0) {
        static const int64_t two[] = {2};
        net->masking.last = find_list(model, "config.num_forecast_mask_patches", &net->masking.n_last);
        net->masking.last = net->masking.n_last == 0 ? two : net->masking.last;
        net->masking.n_last = net->masking.n_last == 0 ? 1 : net->masking.n_last;
    }

done:
    return status;
}

static pml_status load_dropouts(const pml_model *model, patchtst *net, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_model_config_dropout(model, "attention_dropout", &net->attention_dropout, error));
    PML_TRY(pml_model_config_dropout(model, "positional_dropout", &net->positional_dropout, error));
    PML_TRY(pml_model_config_dropout(model, "path_dropout", &net->path_dropout, error));
    PML_TRY(pml_model_config_dropout(model, "ff_dropout", &net->ff_dropout, error));
    PML_TRY(pml_model_config_dropout(model, "head_dropout", &net->head_dropout, error));

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
    PML_TRY(load_derived(model, net, error));
    PML_TRY(load_dropouts(model, net, error));
    PML_TRY(load_masking(model, net, error));
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

static pml_status load_layer(pml_model *model, const patchtst *net, const char *prefix, size_t i_layer, bool ffn_bias,
                             patchtst_layer *layer, pml_error *error) {
    pml_status status = PML_OK;
    *layer = (patchtst_layer){.attention_scale = (float)(1.0 / sqrt((double)(net->d_model / net->n_heads)))};
    const struct {
        const char *name;
        pml_linear *linear;
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
        snprintf(name, sizeof name, "%sencoder.layer.%zu.%s", prefix, i_layer, linears[i].name);
        PML_TRY(pml_linear_load(model, name, linears[i].has_bias, linears[i].linear, error));
    }
    for (size_t i = 0; i < sizeof norms / sizeof norms[0]; i++) {
        if (norms[i].exists) {
            snprintf(name, sizeof name, "%sencoder.layer.%zu.%s", prefix, i_layer, norms[i].name);
            PML_TRY(pml_norm_load(model, name, net->norm_kind, net->norm_eps, norms[i].norm, error));
        }
    }
    snprintf(name, sizeof name, "%sencoder.layer.%zu.attention.scale", prefix, i_layer);
    if (pml_model_has_weight(model, name)) {
        pml_tensor scale;
        PML_TRY(pml_model_weight(model, &scale, error, "%s", name));
        layer->attention_scale = pml_tensor_f32_const(&scale)[0];
        if (!isfinite(layer->attention_scale)) {
            PML_TRY(PML_FAIL(error, PML_E_NUMERIC, "tensor '%s' is not finite", name));
        }
    }

done:
    return status;
}

/* A table of one number per token becomes one of a row per token. */
static pml_status load_position(pml_model *model, patchtst *net, const char *prefix, patchtst_network *network,
                                pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor *position = &network->position;
    PML_TRY(pml_model_weight(model, position, error, "%sposition", prefix));
    if (pml_tensor_columns(position) != net->d_model) {
        network->position_numbers = *position;
        PML_TRY(pml_model_table(model, 1, net->d_model, &net->ones, error));
        for (size_t d = 0; d < net->d_model; d++) {
            pml_tensor_f32(&net->ones)[d] = 1;
        }
        const float *numbers = pml_tensor_f32_const(position);
        pml_tensor table;
        PML_TRY(pml_model_table(model, net->n_tokens, net->d_model, &table, error));
        float *at = pml_tensor_f32(&table);
        for (size_t n = 0; n < net->n_tokens; n++) {
            for (size_t d = 0; d < net->d_model; d++) {
                *at++ = numbers[n];
            }
        }
        *position = table;
    }

done:
    return status;
}

static pml_status load_network(pml_model *model, patchtst *net, const char *prefix, patchtst_network *network,
                               pml_error *error) {
    pml_status status = PML_OK;
    char name[64];
    bool has_bias, is_batch_norm, ffn_bias = true;
    PML_TRY(pml_model_config_bool(model, "ffn_bias", &ffn_bias, error));
    PML_TRY(pml_model_eval_flag(model, "!no_embedding_bias", &has_bias, error));
    PML_TRY(pml_model_eval_flag(model, "final_norm == 'batchnorm'", &is_batch_norm, error));
    snprintf(name, sizeof name, "%spatch_embedding", prefix);
    PML_TRY(pml_linear_load(model, name, has_bias, &network->embedding, error));
    PML_TRY(load_position(model, net, prefix, network, error));
    if (net->use_cls_token) {
        PML_TRY(pml_model_weight(model, &network->cls_token, error, "%scls_token", prefix));
    }
    if (net->scaling_affine) {
        PML_TRY(pml_model_weight(model, &network->scaling_weight, error, "%sscaling.weight", prefix));
        PML_TRY(pml_model_weight(model, &network->scaling_bias, error, "%sscaling.bias", prefix));
    }
    if (net->has_final_norm) {
        snprintf(name, sizeof name, "%sencoder.norm", prefix);
        PML_TRY(pml_norm_load(model, name, is_batch_norm ? PML_NORM_BATCH : PML_NORM_LAYER, net->norm_eps,
                              &network->final_norm, error));
    }
    PML_TRY(pml_arena_alloc(&pml_model_context(model)->model, net->n_layers, sizeof *network->layers, &network->layers,
                            error));
    for (size_t i = 0; i < net->n_layers; i++) {
        PML_TRY(load_layer(model, net, prefix, i, ffn_bias, &network->layers[i], error));
    }
    for (size_t i = 0; i < net->n_head_outputs; i++) {
        snprintf(name, sizeof name, "%shead.%zu", prefix, i);
        PML_TRY(pml_linear_load(model, name, true, &network->heads[i], error));
    }

done:
    return status;
}

pml_status pml_patchtst_load(pml_model *model, pml_error *error) {
    pml_status status = PML_OK;
    patchtst *net = pml_model_data(model);
    PML_TRY(load_config(model, net, error));
    PML_TRY(load_network(model, net, "", &net->networks[0], error));
    if (net->decomposition_kernel > 0) {
        PML_TRY(load_network(model, net, "trend.", &net->networks[1], error));
    }

done:
    return status;
}
