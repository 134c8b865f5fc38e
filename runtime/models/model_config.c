/* Typed access to "config.<key>" for families. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/checked.h"
#include "runtime/models/model.h"

typedef struct config_name {
    char text[128];
} config_name;

static config_name full_name(const char *key) {
    config_name name;
    snprintf(name.text, sizeof name.text, "config.%s", key);
    return name;
}

pml_status pml_model_config_size(const pml_model *model, const char *key, size_t *value, pml_error *error) {
    int64_t integer;
    pml_status status = pml_metadata_get_i64(pml_model_metadata(model), full_name(key).text, &integer, error);
    if (status == PML_OK && (integer < 0 || !pml_ck_size((uint64_t)integer, value))) {
        status = PML_FAIL(error, PML_E_CONFIG, "config key '%s' is not a size: %lld", key, (long long)integer);
    }
    return status;
}

pml_status pml_model_config_real(const pml_model *model, const char *key, double *value, pml_error *error) {
    return pml_metadata_get_f64(pml_model_metadata(model), full_name(key).text, value, error);
}

pml_status pml_model_config_dropout(const pml_model *model, const char *key, double *value, pml_error *error) {
    *value = 0;
    return pml_metadata_find(pml_model_metadata(model), full_name(key).text) == NULL
               ? PML_OK
               : pml_model_config_real(model, key, value, error);
}

pml_status pml_model_config_bool(const pml_model *model, const char *key, bool *value, pml_error *error) {
    return pml_metadata_get_bool(pml_model_metadata(model), full_name(key).text, value, error);
}

pml_status pml_model_config_choice(const pml_model *model, const char *key, const char *const *choices,
                                   size_t *i_choice, pml_error *error) {
    const char *text;
    pml_status status = pml_metadata_get_string(pml_model_metadata(model), full_name(key).text, &text, error);
    if (status != PML_OK) {
        return status;
    }
    for (size_t i = 0; choices[i] != NULL; i++) {
        if (strcmp(choices[i], text) == 0) {
            *i_choice = i;
            return PML_OK;
        }
    }
    return PML_FAIL(error, PML_E_CONFIG, "config key '%s' is '%s', which this build cannot run", key, text);
}

pml_status pml_model_config_activation(const pml_model *model, const char *key, pml_activation *activation,
                                       pml_error *error) {
    static const char *const names[PML_ACTIVATION_COUNT + 1] = {
        [PML_ACTIVATION_IDENTITY] = "identity",   [PML_ACTIVATION_RELU] = "relu", [PML_ACTIVATION_GELU] = "gelu",
        [PML_ACTIVATION_GELU_TANH] = "gelu_tanh", [PML_ACTIVATION_SILU] = "silu", [PML_ACTIVATION_TANH] = "tanh",
        [PML_ACTIVATION_SIGMOID] = "sigmoid",
    };
    size_t i_choice = 0;
    pml_status status = pml_model_config_choice(model, key, names, &i_choice, error);
    if (status == PML_OK) {
        *activation = (pml_activation)i_choice;
    }
    return status;
}

pml_status pml_model_eval_size(const pml_model *model, const char *expression, size_t *value, pml_error *error) {
    int64_t integer = 0;
    pml_status status =
        pml_schema_eval(pml_model_schema(model), pml_model_metadata(model), expression, -1, &integer, error);
    if (status == PML_OK && (integer < 0 || !pml_ck_size((uint64_t)integer, value))) {
        status = PML_FAIL(error, PML_E_CONFIG, "'%s' is %lld, which is no size", expression, (long long)integer);
    }
    return status;
}

pml_status pml_model_eval_flag(const pml_model *model, const char *expression, bool *value, pml_error *error) {
    int64_t integer = 0;
    const pml_status status =
        pml_schema_eval(pml_model_schema(model), pml_model_metadata(model), expression, -1, &integer, error);
    *value = integer != 0;
    return status;
}
