/* Every option that plan.c records is understood here; an unknown one is an error, because ignoring it would compare
 * with other bytes than the conversion wrote. */
#include "convert/repeat_options.h"

#include <stdlib.h>
#include <string.h>

#include "convert/stored_type.h"
#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"

pml_status pml_repeat_texts(const pml_file *file, const char *key, const char *const **texts, size_t *count,
                            pml_error *error) {
    const pml_meta_entry *entry = pml_metadata_find(pml_file_metadata(file), key);
    pml_quoted quoted;
    if (entry == NULL || entry->type != PML_META_STRING_ARRAY) {
        return PML_FAIL(error, PML_E_CONFIG, "%s does not record %s: it cannot be compared with a source",
                        pml_quote(&quoted, pml_file_path(file)), key);
    }
    *texts = entry->value.strings;
    *count = (size_t)entry->count;
    return PML_OK;
}

/* The value of "key=value" when `option` is of that key, else NULL. */
static const char *value_of(const char *option, const char *key) {
    size_t length = strlen(key);
    return strncmp(option, key, length) == 0 && option[length] == '=' ? option + length + 1 : NULL;
}

static pml_status read_option(const char *option, pml_repeat *repeat, pml_error *error) {
    pml_convert_options *options = &repeat->options;
    const char *value = NULL;
    pml_quoted quoted;
    pml_stored_type type;
    if ((value = value_of(option, "dtype")) != NULL && pml_stored_type_find(value, &type)) {
        options->dtype = type.dtype;
        options->group_rows = type.group_rows;
    } else if ((value = value_of(option, "tensor-type")) != NULL) {
        repeat->type_rules[options->n_type_rules++] = value;
    } else if ((value = value_of(option, "max-error")) != NULL) {
        options->max_error = strtod(value, NULL);
    } else if ((value = value_of(option, "layout")) != NULL) {
        return pml_layout_from_name(value, &options->layout, error);
    } else if ((value = value_of(option, "arch")) != NULL) {
        options->bundle.arch = value;
    } else if ((value = value_of(option, "set")) != NULL) {
        repeat->settings[options->bundle.n_settings++] = value;
    } else if (strcmp(option, "allow-nonfinite") == 0) {
        options->allow_nonfinite = true;
    } else if (strcmp(option, "embed-selftest") != 0) { /* which takes nothing from the source */
        return PML_FAIL(error, PML_E_CONFIG, "the conversion had an option that this version does not know: %s",
                        pml_quote(&quoted, option));
    }
    return PML_OK;
}

pml_status pml_repeat_read(const pml_file *file, pml_repeat *repeat, pml_error *error) {
    pml_status status = PML_OK;
    const char *const *texts = NULL;
    size_t count = 0;
    *repeat = (pml_repeat){.options = {.dtype = PML_DTYPE_F32, .layout = PML_LAYOUT_PANEL}};
    PML_TRY(pml_repeat_texts(file, "provenance.options", &texts, &count, error));
    PML_TRY(pml_alloc(count, sizeof *repeat->settings, &repeat->settings, error));
    PML_TRY(pml_alloc(count, sizeof *repeat->type_rules, &repeat->type_rules, error));
    for (size_t i = 0; i < count; i++) {
        PML_TRY(read_option(texts[i], repeat, error));
    }
    repeat->options.bundle.settings = repeat->settings;
    repeat->options.type_rules = repeat->type_rules;
done:
    if (status != PML_OK) {
        pml_repeat_deinit(repeat);
    }
    return status;
}

void pml_repeat_deinit(pml_repeat *repeat) {
    pml_free(repeat->settings);
    pml_free(repeat->type_rules);
    *repeat = (pml_repeat){0};
}
