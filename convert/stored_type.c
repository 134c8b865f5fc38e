#include "convert/stored_type.h"

#include <fnmatch.h>
#include <string.h>

#include "runtime/base/quote.h"

static const struct {
    const char *name;
    pml_stored_type type;
} types[] = {
    {"f32", {PML_DTYPE_F32, 0}},      {"bf16", {PML_DTYPE_BF16, 0}},    {"int8", {PML_DTYPE_I8, 0}},
    {"int8-g64", {PML_DTYPE_I8, 64}}, {"int8-g32", {PML_DTYPE_I8, 32}},
};

const char *pml_stored_type_name(pml_stored_type type) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].type.dtype == type.dtype && types[i].type.group_rows == type.group_rows) {
            return types[i].name;
        }
    }
    return "?";
}

bool pml_stored_type_find(const char *name, pml_stored_type *type) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, name) == 0) {
            *type = types[i].type;
            return true;
        }
    }
    return false;
}

pml_status pml_type_rule_parse(const char *text, pml_type_rule *rule, pml_error *error) {
    const char *end = strrchr(text, '=');
    const size_t length = end != NULL ? (size_t)(end - text) : 0;
    pml_quoted quoted;
    if (length == 0 || length >= sizeof rule->pattern || !pml_stored_type_find(end + 1, &rule->type)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--tensor-type %s: expected PATTERN=%s", pml_quote(&quoted, text),
                        PML_STORED_TYPES);
    }
    memcpy(rule->pattern, text, length);
    rule->pattern[length] = '\0';
    return PML_OK;
}

bool pml_type_rule_matches(const pml_type_rule *rule, const char *name) {
    return fnmatch(rule->pattern, name, 0) == 0;
}
