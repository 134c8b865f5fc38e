#include "mappers/bert/bert_tensorflow.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"

static pml_status check_repeated(const pml_map_source *source, const pml_source_tensor *tensor, pml_error *error) {
    pml_status status = PML_OK;
    static const char group[] = "mlm___cls/";
    char name[PML_MAX_NAME_BYTES + 8];
    pml_quoted quoted;
    const void *a, *b;
    (void)snprintf(name, sizeof name, "bert/%s", tensor->name + sizeof group - 1);
    const pml_source_tensor *first = pml_source_tensor_find(source->tensors, name);
    if (first == NULL || first->size_bytes != tensor->size_bytes || first->dtype != tensor->dtype) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tensor %s should repeat one of the group bert, which has none such",
                         pml_quote(&quoted, tensor->name)));
    }
    PML_TRY(pml_source_tensor_view(source->tensors, first, &a, error));
    PML_TRY(pml_source_tensor_view(source->tensors, tensor, &b, error));
    const bool is_same = memcmp(a, b, (size_t)tensor->size_bytes) == 0;
    pml_source_tensor_release(source->tensors, first);
    pml_source_tensor_release(source->tensors, tensor);
    if (!is_same) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tensor %s repeats one of the group bert, but with other values",
                         pml_quote(&quoted, tensor->name)));
    }
done:
    return status;
}

pml_status pml_bert_check_repeated(const pml_map_source *source, const pml_facts *facts, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < facts->count; i++) {
        const pml_fact *fact = &facts->items[i];
        if (strcmp(fact->rule->pattern, PML_BERT_REPEATED) == 0) {
            PML_TRY(check_repeated(source, fact->source, error));
        }
    }
done:
    return status;
}

static bool is_set(const pml_config_reader *r, const char *key) {
    const size_t length = strlen(key);
    for (size_t i = 0; i < r->source->options->n_settings; i++) {
        const char *setting = r->source->options->settings[i];
        if (strncmp(setting, key, length) == 0 && setting[length] == '=') {
            return true;
        }
    }
    return false;
}

pml_status pml_bert_derive_activation(pml_config_reader *r, const pml_config_rule *rule, char **text,
                                      pml_error *error) {
    pml_status status = PML_OK;
    static const char tanh_form[] = "gelu_tanh";
    pml_config_rule plain = *rule;
    plain.derive = NULL;
    PML_TRY(pml_config_get(r, &plain, PML_CONFIG_CHOICE, text, error));
    if (*text != NULL && strcmp(*text, "gelu") == 0 && strcmp(r->detection->dialect, PML_BERT_GOOGLE) == 0 &&
        !is_set(r, rule->key)) {
        pml_free(*text);
        *text = NULL;
        PML_TRY(pml_string_copy(tanh_form, sizeof tanh_form - 1, text, error));
        PML_TRY(pml_detection_add(&r->detection->assumed, &r->detection->n_assumed, error,
                                  "%s = %s (google-research's gelu is the tanh form; --set %s=gelu takes the error "
                                  "function)",
                                  rule->key, tanh_form, rule->key));
    }
done:
    return status;
}
