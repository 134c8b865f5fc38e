/* FEDformer: configuration, weights, and the tables of the frequencies that it keeps. */
#include <stdio.h>

#include "runtime/models/fedformer/fedformer.h"

pml_status pml_fed_modes_make(pml_model *model, const int64_t *modes, const int64_t *bins, size_t n_modes,
                              size_t n_steps, double factor, fed_modes *result, pml_error *error) {
    pml_status status = PML_OK;
    *result = (fed_modes){.n_modes = n_modes, .n_steps = n_steps};
    PML_TRY(pml_model_table(model, 2 * n_modes, n_steps / 2 + 1, &result->table, error));
    PML_TRY(pml_model_table(model, 2 * n_modes, n_steps / 2 + 1, &result->inverse, error));
    pml_fourier_table(modes, n_modes, n_steps, pml_tensor_f32(&result->table));
    pml_fourier_inverse_table(bins, n_modes, n_steps, factor, pml_tensor_f32(&result->inverse));

done:
    return status;
}

/* The list under `key`, of `count` numbers (SIZE_MAX: any number, at least one). */
static pml_status find_list(const pml_model *model, const char *key, size_t count, const pml_meta_entry **list,
                            pml_error *error) {
    char name[64];
    snprintf(name, sizeof name, "config.%s", key);
    *list = pml_metadata_find(pml_model_metadata(model), name);
    if (*list == NULL || (*list)->type != PML_META_I64_ARRAY || (*list)->count == 0 ||
        (count != SIZE_MAX && (*list)->count != count)) {
        return PML_FAIL(error, PML_E_CONFIG, "config key '%s' does not hold as many numbers as there are weights", key);
    }
    return PML_OK;
}

/* Weights of one place, and its tables: those of self-attention write the i-th mode to bin i, whatever its number. */
static pml_status load_part(pml_model *model, const char *name, const char *modes_key, const char *count_key,
                            size_t n_steps, bool is_cross, fed_fourier *part, pml_error *error) {
    pml_status status = PML_OK;
    const pml_meta_entry *modes;
    const fedformer *data = pml_model_data(model);
    int64_t *bins;
    size_t n_modes;
    PML_TRY(pml_model_eval_size(model, count_key, &n_modes, error));
    PML_TRY(find_list(model, modes_key, n_modes, &modes, error));
    PML_TRY(pml_arena_alloc(&pml_model_context(model)->model, n_modes, sizeof *bins, &bins, error));
    for (size_t i = 0; i < n_modes; i++) {
        bins[i] = is_cross ? modes->value.i64s[i] : (int64_t)i;
    }
    const double width = (double)data->net.d_model;
    PML_TRY(pml_fed_modes_make(model, modes->value.i64s, bins, n_modes, n_steps, is_cross ? 1 / width / width : 1,
                               &part->modes, error));
    PML_TRY(pml_model_weight(model, &part->real, error, "%s.real", name));
    PML_TRY(pml_model_weight(model, &part->imaginary, error, "%s.imaginary", name));

done:
    return status;
}

static pml_status load_fourier(pml_model *model, fedformer *data, pml_error *error) {
    pml_status status = PML_OK;
    const pml_meta_entry *keys;
    const size_t n_steps = data->net.context_length, n_decoded = data->net.label_length + data->net.horizon;
    PML_TRY(
        load_part(model, "encoder.modes", "encoder_modes", "num_encoder_modes", n_steps, false, &data->encoder, error));
    PML_TRY(load_part(model, "decoder.modes", "decoder_modes", "num_decoder_modes", n_decoded, false, &data->decoder,
                      error));
    PML_TRY(load_part(model, "cross.modes", "query_modes", "num_query_modes", n_decoded, true, &data->cross, error));
    PML_TRY(find_list(model, "key_modes", SIZE_MAX, &keys, error));
    PML_TRY(pml_fed_modes_make(model, keys->value.i64s, keys->value.i64s, keys->count, n_steps, 1, &data->keys, error));

done:
    return status;
}

/* ---- averages ---- */
static pml_status load_split(pml_model *model, const pml_seasonal_split *common, bool has_gates, const char *name,
                             pml_seasonal_split *split, pml_error *error) {
    pml_status status = PML_OK;
    char gate[96];
    *split = *common;
    if (has_gates) {
        snprintf(gate, sizeof gate, "%s.gate", name);
        PML_TRY(pml_linear_load(model, gate, true, &split->gate, error));
    }

done:
    return status;
}

static pml_status load_splits(pml_model *model, pml_seasonal *net, pml_error *error) {
    pml_status status = PML_OK;
    const pml_meta_entry *kernels;
    pml_seasonal_split common = {.n_kernels = 0};
    size_t n_gates;
    char name[64];
    PML_TRY(pml_model_eval_size(model, "num_gates", &n_gates, error));
    PML_TRY(find_list(model, "decomposition_kernels", n_gates > 0 ? n_gates : 1, &kernels, error));
    if (kernels->count > PML_SEASONAL_MAX_KERNELS) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%llu averages are weighed, at most %u are supported",
                         (unsigned long long)kernels->count, PML_SEASONAL_MAX_KERNELS));
    }
    for (size_t i = 0; i < kernels->count; i++) {
        common.kernels[common.n_kernels++] = (size_t)kernels->value.i64s[i];
    }
    PML_TRY(load_split(model, &common, n_gates > 0, "split", &net->split, error));
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; k < 2 && i < net->n_encoder_layers; i++) {
            snprintf(name, sizeof name, "encoder.layer.%zu.split%zu", i, k + 1);
            PML_TRY(load_split(model, &common, n_gates > 0, name, &net->encoder_layers[i].splits[k], error));
        }
        for (size_t i = 0; i < net->n_decoder_layers; i++) {
            snprintf(name, sizeof name, "decoder.layer.%zu.split%zu", i, k + 1);
            PML_TRY(load_split(model, &common, n_gates > 0, name, &net->decoder_layers[i].splits[k], error));
        }
    }

done:
    return status;
}

pml_status pml_fedformer_load(pml_model *model, pml_error *error) {
    static const char *const activations[] = {"tanh", "tanh_separate", "softmax", NULL};
    pml_status status = PML_OK;
    fedformer *data = pml_model_data(model);
    size_t activation;
    PML_TRY(pml_seasonal_load(model, &data->net, error));
    PML_TRY(pml_model_config_size(model, "num_attention_heads", &data->n_heads, error));
    PML_TRY(pml_model_config_choice(model, "cross_activation", activations, &activation, error));
    PML_TRY(pml_model_eval_flag(model, "is_fourier", &data->is_fourier, error));
    data->activation = (pml_fourier_activation)activation;
    PML_TRY(load_splits(model, &data->net, error));
    if (data->is_fourier) {
        PML_TRY(load_fourier(model, data, error));
    } else {
        PML_TRY(pml_fed_wavelets_load(model, error));
    }

done:
    return status;
}
