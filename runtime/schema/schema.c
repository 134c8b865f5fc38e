#include "runtime/schema/schema.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/choice.h"
#include "runtime/schema/expr.h"

#define PML_FAMILY(name) extern const pml_schema pml_schema_##name;
#include "runtime/schema/registry.def"
#undef PML_FAMILY

const pml_schema *const pml_schemas[] = {
#define PML_FAMILY(name) &pml_schema_##name,
#include "runtime/schema/registry.def"
#undef PML_FAMILY
    NULL};

#define PREFIX "config."
#define MAX_EXPRESSION_BYTES 256

const pml_schema *pml_schema_find(const char *name) {
    for (size_t i = 0; pml_schemas[i] != NULL; i++) {
        if (strcmp(pml_schemas[i]->name, name) == 0) {
            return pml_schemas[i];
        }
    }
    return NULL;
}

/* ---- expressions over a configuration ---- */
typedef struct scope {
    const pml_schema *schema;
    const pml_metadata *metadata;
    int64_t l;         /* -1: no placeholder */
    uint64_t batch;    /* 0: no batch dimension */
    uint64_t n_tokens; /* 0: no token dimension */
    size_t n_derived;  /* derived numbers that may be used: those before the one being evaluated */
} scope;

static pml_status lookup_name(void *user, const char *name, size_t name_bytes, pml_expr_value *value, pml_error *error);

static pml_status evaluate(const scope *in, const char *expression, int64_t *value, pml_error *error) {
    scope copy = *in;
    return pml_expr_integer(expression, lookup_name, &copy, value, error);
}

static size_t count_derived(const pml_schema *schema) {
    size_t n = 0;
    while (schema->derived != NULL && schema->derived[n].name != NULL) {
        n++;
    }
    return n;
}

static bool is_same(const char *text, const char *name, size_t name_bytes) {
    return strlen(text) == name_bytes && memcmp(text, name, name_bytes) == 0;
}

static const pml_meta_entry *find_entry(const pml_metadata *metadata, const char *name) {
    char key[sizeof PREFIX + 128];
    int length = snprintf(key, sizeof key, PREFIX "%s", name);
    return length < 0 || (size_t)length >= sizeof key ? NULL : pml_metadata_find(metadata, key);
}

static pml_status lookup_name(void *user, const char *name, size_t name_bytes, pml_expr_value *value,
                              pml_error *error) {
    const scope *in = user;
    if (in->l >= 0 && is_same("l", name, name_bytes)) {
        *value = (pml_expr_value){.integer = in->l};
        return PML_OK;
    }
    if (in->batch > 0 && in->batch <= INT64_MAX && is_same("B", name, name_bytes)) {
        *value = (pml_expr_value){.integer = (int64_t)in->batch};
        return PML_OK;
    }
    if (in->n_tokens > 0 && in->n_tokens <= INT64_MAX &&
        (is_same("T", name, name_bytes) || is_same("C", name, name_bytes))) {
        *value = (pml_expr_value){.integer = (int64_t)in->n_tokens};
        return PML_OK;
    }
    for (size_t i = 0; i < in->n_derived; i++) {
        if (is_same(in->schema->derived[i].name, name, name_bytes)) {
            scope inner = *in;
            inner.n_derived = i;
            *value = (pml_expr_value){.text = NULL};
            return evaluate(&inner, in->schema->derived[i].expression, &value->integer, error);
        }
    }
    for (const pml_config_key *key = in->schema->config; key->name != NULL; key++) {
        if (!is_same(key->name, name, name_bytes)) {
            continue;
        }
        const pml_meta_entry *entry = find_entry(in->metadata, key->name);
        if (entry == NULL && key->absent != NULL) {
            *value = (pml_expr_value){.text = key->type == PML_CONFIG_CHOICE ? key->absent : NULL};
            value->integer = strcmp(key->absent, "true") == 0 ? 1 : strtoll(key->absent, NULL, 10);
            return PML_OK;
        }
        if (entry == NULL) {
            return PML_FAIL(error, PML_E_CONFIG, "config key '%s' is not set", key->name);
        }
        switch (entry->type) {
        case PML_META_BOOL:
            *value = (pml_expr_value){.integer = entry->value.boolean};
            return PML_OK;
        case PML_META_I64:
            *value = (pml_expr_value){.integer = entry->value.i64};
            return PML_OK;
        case PML_META_STRING:
            *value = (pml_expr_value){.text = entry->value.string};
            return PML_OK;
        default:
            return PML_FAIL(error, PML_E_CONFIG, "config key '%s' has no value that expressions can use", key->name);
        }
    }
    return PML_FAIL(error, PML_E_NOT_FOUND, "unknown name '%.*s' in an expression of family %s", (int)name_bytes, name,
                    in->schema->name);
}

pml_status pml_schema_eval(const pml_schema *schema, const pml_metadata *metadata, const char *expression, int64_t l,
                           int64_t *value, pml_error *error) {
    scope in = {.schema = schema, .metadata = metadata, .l = l, .n_derived = count_derived(schema)};
    return evaluate(&in, expression, value, error);
}

static pml_status evaluate_dims(const scope *in, const char *dims, uint64_t shape[PML_MAX_RANK], unsigned *rank,
                                pml_error *error) {
    pml_status status = PML_OK;
    unsigned n = 0;
    for (const char *at = dims; at != NULL;) {
        const char *end = strchr(at, ',');
        size_t length = end != NULL ? (size_t)(end - at) : strlen(at);
        char expression[MAX_EXPRESSION_BYTES];
        if (length >= sizeof expression || n >= PML_MAX_RANK) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "dimensions \"%s\" are too long", dims));
        }
        memcpy(expression, at, length);
        expression[length] = '\0';
        int64_t size;
        PML_TRY(evaluate(in, expression, &size, error));
        if (size < 1) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "dimension \"%s\" is %" PRId64 ", which is less than 1", expression,
                             size));
        }
        shape[n++] = (uint64_t)size;
        at = end != NULL ? end + 1 : NULL;
    }
    *rank = n;
done:
    return status;
}

pml_status pml_schema_dims(const pml_schema *schema, const pml_metadata *metadata, const char *dims, int64_t l,
                           uint64_t batch, uint64_t shape[PML_MAX_RANK], unsigned *rank, pml_error *error) {
    scope in = {.schema = schema, .metadata = metadata, .l = l, .batch = batch, .n_derived = count_derived(schema)};
    return evaluate_dims(&in, dims, shape, rank, error);
}

pml_status pml_schema_port_dims(const pml_schema *schema, const pml_metadata *metadata, const char *dims,
                                uint64_t batch, uint64_t n_tokens, uint64_t shape[PML_MAX_RANK], unsigned *rank,
                                pml_error *error) {
    scope in = {.schema = schema,
                .metadata = metadata,
                .l = -1,
                .batch = batch,
                .n_tokens = n_tokens,
                .n_derived = count_derived(schema)};
    return evaluate_dims(&in, dims, shape, rank, error);
}

/* ---- checking a configuration ---- */
static const char *type_name(pml_config_type type) {
    static const char *const names[] = {[PML_CONFIG_INT] = "an integer",
                                        [PML_CONFIG_REAL] = "a number",
                                        [PML_CONFIG_BOOL] = "a boolean",
                                        [PML_CONFIG_CHOICE] = "text",
                                        [PML_CONFIG_INT_LIST] = "a list of integers",
                                        [PML_CONFIG_REAL_LIST] = "a list of numbers"};
    return names[type];
}

static bool has_type(const pml_config_key *key, const pml_meta_entry *entry) {
    switch (key->type) {
    case PML_CONFIG_INT:
        return entry->type == PML_META_I64;
    case PML_CONFIG_REAL:
        return entry->type == PML_META_F64 || entry->type == PML_META_I64;
    case PML_CONFIG_BOOL:
        return entry->type == PML_META_BOOL;
    case PML_CONFIG_CHOICE:
        return entry->type == PML_META_STRING;
    case PML_CONFIG_INT_LIST:
        return entry->type == PML_META_I64_ARRAY;
    case PML_CONFIG_REAL_LIST:
        return entry->type == PML_META_F64_ARRAY;
    }
    return false;
}

static pml_status check_number(const pml_config_key *key, double value, pml_error *error) {
    if (!isfinite(value)) {
        return PML_FAIL(error, PML_E_CONFIG, "config key '%s' is not a finite number", key->name);
    }
    if (value < key->least || value > key->greatest) {
        return PML_FAIL(error, PML_E_CONFIG, "config key '%s': %.17g is outside %.17g .. %.17g", key->name, value,
                        key->least, key->greatest);
    }
    return PML_OK;
}

static pml_status check_value(const pml_config_key *key, const pml_meta_entry *entry, pml_error *error) {
    pml_status status = PML_OK;
    if (!has_type(key, entry)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "config key '%s' must be %s", key->name, type_name(key->type)));
    }
    bool is_list = key->type == PML_CONFIG_INT_LIST || key->type == PML_CONFIG_REAL_LIST;
    if (is_list && key->n_elements != 0 && entry->count != key->n_elements) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "config key '%s' must have %u elements, it has %" PRIu64, key->name,
                         key->n_elements, entry->count));
    }
    if (key->type == PML_CONFIG_CHOICE && !pml_choice_has(key->choices, entry->value.string)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "config key '%s': '%.64s' is none of %s", key->name, entry->value.string,
                         key->choices));
    }
    if (key->type == PML_CONFIG_INT || key->type == PML_CONFIG_REAL) {
        PML_TRY(check_number(key, entry->type == PML_META_I64 ? (double)entry->value.i64 : entry->value.f64, error));
    }
    for (uint64_t i = 0; is_list && i < entry->count; i++) {
        PML_TRY(check_number(
            key, key->type == PML_CONFIG_INT_LIST ? (double)entry->value.i64s[i] : entry->value.f64s[i], error));
    }
done:
    return status;
}

const pml_config_key *pml_schema_key(const pml_schema *schema, const char *name) {
    for (const pml_config_key *key = schema->config; key->name != NULL; key++) {
        if (strcmp(key->name, name) == 0) {
            return key;
        }
    }
    return NULL;
}

pml_status pml_schema_check_config(const pml_schema *schema, const pml_metadata *metadata, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < pml_metadata_count(metadata); i++) {
        const pml_meta_entry *entry = pml_metadata_at(metadata, i);
        if (strncmp(entry->key, PREFIX, sizeof PREFIX - 1) != 0) {
            continue;
        }
        const pml_config_key *key = pml_schema_key(schema, entry->key + sizeof PREFIX - 1);
        if (key == NULL) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "family %s has no config key '%.128s'", schema->name,
                             entry->key + sizeof PREFIX - 1));
        }
        PML_TRY(check_value(key, entry, error));
    }
    for (const pml_config_key *key = schema->config; key->name != NULL; key++) {
        if (!key->optional && find_entry(metadata, key->name) == NULL) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "config key '%s' of family %s is not set", key->name, schema->name));
        }
    }
    for (const pml_config_constraint *rule = schema->constraints; rule->expression != NULL; rule++) {
        int64_t holds;
        PML_TRY(pml_schema_eval(schema, metadata, rule->expression, -1, &holds, error));
        if (holds == 0) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "configuration: %s", rule->message));
        }
    }
done:
    return status;
}

/* ---- the weights of a configuration ---- */
static pml_status format_name(const pml_weight_spec *spec, int64_t l, char **name, pml_error *error) {
    char text[PML_MAX_NAME_BYTES + 1];
    const char *hole = strstr(spec->name, "{l}");
    int length = hole == NULL ? snprintf(text, sizeof text, "%s", spec->name)
                              : snprintf(text, sizeof text, "%.*s%" PRId64 "%s", (int)(hole - spec->name), spec->name,
                                         l, hole + strlen("{l}"));
    if (length < 0 || (size_t)length >= sizeof text) {
        return PML_FAIL(error, PML_E_CONFIG, "weight name '%s' is too long", spec->name);
    }
    return pml_string_copy(text, (size_t)length, name, error);
}

static uint64_t hash_name(const char *name) {
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (; *name != '\0'; name++) {
        hash = (hash ^ (uint8_t)*name) * 1099511628211u;
    }
    return hash;
}

static pml_status build_index(pml_weight_list *list, pml_error *error) {
    pml_status status = PML_OK;
    size_t n_slots = 16;
    while (n_slots < list->count * 2) {
        n_slots *= 2;
    }
    PML_TRY(pml_alloc(n_slots, sizeof *list->slots, &list->slots, error));
    list->n_slots = n_slots;
    for (size_t i = 0; i < list->count; i++) {
        size_t slot = (size_t)hash_name(list->items[i].name) & (n_slots - 1);
        while (list->slots[slot] != 0) {
            if (strcmp(list->items[list->slots[slot] - 1].name, list->items[i].name) == 0) {
                PML_TRY(
                    PML_FAIL(error, PML_E_CONFIG, "the configuration gives weight '%s' twice", list->items[i].name));
            }
            slot = (slot + 1) & (n_slots - 1);
        }
        list->slots[slot] = (uint32_t)(i + 1);
    }
done:
    return status;
}

pml_status pml_schema_weights(const pml_schema *schema, const pml_metadata *metadata, size_t most,
                              pml_weight_list *list, pml_error *error) {
    pml_status status = PML_OK;
    pml_weight_list result = {0};
    size_t capacity = 0;
    for (const pml_weight_spec *spec = schema->weights; spec->name != NULL; spec++) {
        int64_t n = 1;
        if (spec->repeat != NULL) {
            PML_TRY(pml_schema_eval(schema, metadata, spec->repeat, -1, &n, error));
        }
        for (int64_t i = 0; i < n; i++) {
            int64_t l = spec->repeat != NULL ? i : -1;
            int64_t exists = 1;
            if (spec->when != NULL) {
                PML_TRY(pml_schema_eval(schema, metadata, spec->when, l, &exists, error));
            }
            if (exists == 0) {
                continue;
            }
            if (result.count == most) {
                PML_TRY(PML_FAIL(error, PML_E_FORMAT, "the configuration calls for more than %zu weights", most));
            }
            PML_TRY(pml_grow(&result.items, &capacity, result.count + 1, sizeof *result.items, most, "weights", error));
            pml_weight_instance *item = &result.items[result.count];
            *item = (pml_weight_instance){.spec = spec, .l = l};
            PML_TRY(format_name(spec, l, &item->name, error));
            result.count++;
            PML_TRY(pml_schema_dims(schema, metadata, spec->dims, l, 0, item->shape, &item->rank, error));
        }
    }
    PML_TRY(build_index(&result, error));
    *list = result;
    result = (pml_weight_list){0};
done:
    pml_weight_list_deinit(&result);
    return status;
}

pml_status pml_schema_is_grouped(const pml_schema *schema, const pml_metadata *metadata,
                                 const pml_weight_instance *weight, bool *is_grouped, pml_error *error) {
    pml_status status = PML_OK;
    *is_grouped = false;
    for (const pml_grouped_spec *spec = schema->grouped; spec != NULL && spec->weight != NULL; spec++) {
        if (strcmp(spec->weight, weight->spec->name) == 0) {
            int64_t value = 1;
            if (spec->when != NULL) {
                PML_TRY(pml_schema_eval(schema, metadata, spec->when, weight->l, &value, error));
            }
            *is_grouped = *is_grouped || value != 0;
        }
    }
done:
    return status;
}

pml_status pml_schema_is_fixed(const pml_schema *schema, const pml_metadata *metadata, const char *name, bool *is_fixed,
                               pml_error *error) {
    pml_status status = PML_OK;
    *is_fixed = false;
    for (const pml_fixed_spec *spec = schema->fixed; spec != NULL && spec->pattern != NULL; spec++) {
        int64_t value = 1;
        if (fnmatch(spec->pattern, name, 0) != 0) {
            continue;
        }
        if (spec->when != NULL) {
            PML_TRY(pml_schema_eval(schema, metadata, spec->when, -1, &value, error));
        }
        *is_fixed = *is_fixed || value != 0;
    }
done:
    return status;
}

void pml_weight_list_deinit(pml_weight_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        pml_free(list->items[i].name);
    }
    pml_free(list->items);
    pml_free(list->slots);
    *list = (pml_weight_list){0};
}

const pml_weight_instance *pml_weight_list_find(const pml_weight_list *list, const char *name) {
    if (list->n_slots == 0) {
        return NULL;
    }
    size_t slot = (size_t)hash_name(name) & (list->n_slots - 1);
    for (; list->slots[slot] != 0; slot = (slot + 1) & (list->n_slots - 1)) {
        const pml_weight_instance *item = &list->items[list->slots[slot] - 1];
        if (strcmp(item->name, name) == 0) {
            return item;
        }
    }
    return NULL;
}
