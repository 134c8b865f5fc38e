#include "mappers/refusal.h"

#include <string.h>

#include "formats/file_map.h"
#include "runtime/base/quote.h"

static const struct {
    const char *ending; /* of a tensor's name */
    const char *scheme;
} schemes[] = {{".SCB", "bitsandbytes INT8"},
               {".weight_format", "bitsandbytes INT8"},
               {".absmax", "bitsandbytes 4-bit"},
               {".quant_map", "bitsandbytes 4-bit"},
               {".weight_scale_inv", "block-scaled FP8"},
               {".qweight", "GPTQ or AWQ"},
               {".qzeros", "GPTQ or AWQ"},
               {".g_idx", "GPTQ"},
               {"._scale", "scaled integer weights"}};

static const char *text_of(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) && item->valuestring[0] != '\0' ? item->valuestring : NULL;
}

const char *pml_map_model_type(const pml_map_source *source) {
    return text_of(source->config, "model_type");
}

const char *pml_map_claim(const pml_map_source *source, const char **key) {
    const char *model_type = pml_map_model_type(source);
    *key = "model_type";
    if (model_type != NULL || cJSON_GetObjectItemCaseSensitive(source->config, "architectures") != NULL) {
        return model_type;
    }
    *key = "model";
    return text_of(source->config, *key);
}

pml_status pml_map_check_quantized(const pml_map_source *source, pml_error *error) {
    const cJSON *settings = cJSON_GetObjectItemCaseSensitive(source->config, "quantization_config");
    if (cJSON_IsObject(settings)) {
        const char *method = text_of(settings, "quant_method");
        return PML_FAIL(error, PML_E_UNSUPPORTED,
                        "%s: quantization_config says that the weights are already quantized (%.64s); convert the "
                        "original checkpoint",
                        source->config_name, method != NULL ? method : "method not named");
    }
    for (size_t i = 0; i < pml_source_n_tensors(source->tensors); i++) {
        const pml_source_tensor *tensor = pml_source_tensor_at(source->tensors, i);
        for (size_t j = 0; j < sizeof schemes / sizeof schemes[0]; j++) {
            if (pml_name_ends_with(tensor->name, schemes[j].ending)) {
                return PML_FAIL(
                    error, PML_E_UNSUPPORTED,
                    "tensor %.200s: the weights are already quantized (%s); convert the original checkpoint",
                    tensor->name, schemes[j].scheme);
            }
        }
        if (pml_dtype_is_narrow(tensor->dtype)) {
            return PML_FAIL(error, PML_E_UNSUPPORTED, "tensor %.200s is %s, a type that pml does not convert",
                            tensor->name, pml_dtype_name(tensor->dtype));
        }
    }
    return PML_OK;
}

static pml_status check_name(const pml_mapper *const *mappers, const pml_map_source *source, const char *name,
                             pml_error *error) {
    for (size_t i = 0; mappers[i] != NULL; i++) {
        const pml_map_refusal *refusal = mappers[i]->refusals;
        for (; refusal != NULL && refusal->name != NULL; refusal++) {
            if (strcmp(refusal->name, name) == 0) {
                return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: %s is not supported: %s", source->config_name, name,
                                refusal->reason);
            }
        }
    }
    return PML_OK;
}

/* Of containers that hold their configuration: what they say they are must be what some family takes. */
static pml_status check_class(const pml_mapper *const *mappers, const pml_map_source *source, pml_error *error) {
    const char *key = NULL, *other = NULL;
    for (size_t i = 0; mappers[i] != NULL; i++) {
        const pml_mapper *mapper = mappers[i];
        if (mapper->class_attribute == NULL ||
            pml_source_attribute(source->tensors, mapper->config_attribute) == NULL) {
            continue;
        }
        const char *class_name = pml_source_attribute(source->tensors, mapper->class_attribute);
        for (const char *const *name = mapper->class_names; class_name != NULL && *name != NULL; name++) {
            if (strcmp(class_name, *name) == 0) {
                return PML_OK;
            }
        }
        key = mapper->class_attribute;
        other = class_name != NULL ? class_name : other;
    }
    if (other != NULL) {
        pml_quoted quoted;
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: %s %s is not supported: no family takes its checkpoints",
                        pml_source_path(source->tensors), key, pml_quote(&quoted, other));
    }
    return PML_OK;
}

pml_status pml_map_check_refused(const pml_mapper *const *mappers, const pml_map_source *source, pml_error *error) {
    pml_status status = PML_OK;
    const char *model_type = pml_map_model_type(source);
    const cJSON *architectures = cJSON_GetObjectItemCaseSensitive(source->config, "architectures");
    const cJSON *item;
    PML_TRY(check_class(mappers, source, error));
    if (model_type != NULL) {
        PML_TRY(check_name(mappers, source, model_type, error));
    }
    cJSON_ArrayForEach(item, architectures) {
        if (cJSON_IsString(item)) {
            PML_TRY(check_name(mappers, source, item->valuestring, error));
        }
    }
done:
    return status;
}
