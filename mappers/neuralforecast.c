#include "mappers/neuralforecast.h"

#include <string.h>

#include "mappers/setting.h"
#include "runtime/base/quote.h"

bool pml_neuralforecast_is(const pml_map_source *source, const char *const *class_names) {
    const char *class_name = pml_source_attribute(source->tensors, PML_NEURALFORECAST_CLASS);
    for (; class_name != NULL && *class_names != NULL; class_names++) {
        if (strcmp(class_name, *class_names) == 0) {
            return true;
        }
    }
    return pml_setting_has(source, "input_size") && pml_setting_has(source, "h");
}

static pml_status check_loss(const pml_map_source *source, pml_error *error) {
    static const char *const points[] = {"MAE",    "MSE",          "RMSE",      "MAPE",       "SMAPE",     "MASE",
                                         "relMSE", "QuantileLoss", "HuberLoss", "HuberQLoss", "TukeyLoss", "FreDF"};
    const cJSON *loss = cJSON_GetObjectItemCaseSensitive(source->config, "loss");
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(loss, "cls"));
    if (cJSON_IsString(loss)) {
        name = loss->valuestring;
    }
    if (loss == NULL || cJSON_IsNull(loss)) {
        return PML_OK; /* MAE */
    }
    if (name == NULL) {
        return PML_FAIL(error, PML_E_CONFIG, "%s: loss has no class", source->config_name);
    }
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        if (strcmp(name, points[i]) == 0) {
            return PML_OK;
        }
    }
    pml_quoted quoted;
    return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: loss %s is not supported: its forecasts are not one value a step",
                    source->config_name, pml_quote(&quoted, name));
}

static pml_status check_exogenous(const pml_map_source *source, pml_error *error) {
    static const char *const lists[] = {"futr_exog_list", "hist_exog_list", "stat_exog_list", "cat_exog_list"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(source->config, lists[i]);
        if (list != NULL && !cJSON_IsNull(list) && !(cJSON_IsArray(list) && cJSON_GetArraySize(list) == 0)) {
            return PML_FAIL(error, PML_E_UNSUPPORTED,
                            "%s: %s is not supported: the network is told series beside those that it foretells",
                            source->config_name, lists[i]);
        }
    }
    return PML_OK;
}

pml_status pml_neuralforecast_check(const pml_map_source *source, pml_error *error) {
    pml_status status = check_loss(source, error);
    return status == PML_OK ? check_exogenous(source, error) : status;
}
