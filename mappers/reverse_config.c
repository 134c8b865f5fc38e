#include "mappers/reverse_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/names.h"

#define KEY_BYTES 160u
#define VALUE_BYTES 96u /* longer than any choice, boolean or number */

typedef struct writing {
    const pml_map_dialect *dialect;
    const pml_schema *schema;
    const pml_metadata *metadata;
    pml_json_writer *json;
    pml_error *error;
    pml_names sources;           /* written so far */
    char (*values)[VALUE_BYTES]; /* [sources] the canonical value that each says; "": more than one word */
    size_t values_capacity;
} writing;

static const pml_meta_entry *find_entry(const writing *w, const char *key) {
    char name[KEY_BYTES];
    (void)snprintf(name, sizeof name, "config.%.128s", key);
    return pml_metadata_find(w->metadata, name);
}

/* Of a scalar as mappers/config.h writes it; "" of a list. */
static void value_text(const pml_meta_entry *entry, char text[VALUE_BYTES]) {
    char number[PML_F64_TEXT_BYTES];
    text[0] = '\0';
    switch (entry->type) {
    case PML_META_BOOL:
        (void)snprintf(text, VALUE_BYTES, "%s", entry->value.boolean ? "true" : "false");
        break;
    case PML_META_I64:
        (void)snprintf(text, VALUE_BYTES, "%" PRId64, entry->value.i64);
        break;
    case PML_META_F64:
        (void)snprintf(text, VALUE_BYTES, "%s", pml_f64_text(entry->value.f64, number));
        break;
    case PML_META_STRING:
        (void)snprintf(text, VALUE_BYTES, "%.90s", entry->value.string);
        break;
    default:
        break;
    }
}

/* The value of a key, or what its absence stands for ("none" where it stands for nothing). */
static void current_text(const writing *w, const pml_config_key *key, char text[VALUE_BYTES]) {
    const pml_meta_entry *entry = find_entry(w, key->name);
    if (entry != NULL) {
        value_text(entry, text);
    } else {
        (void)snprintf(text, VALUE_BYTES, "%s", key->absent != NULL ? key->absent : "none");
    }
}

static bool is_same(const pml_config_key *key, const char *a, const char *b) {
    const bool is_number = key->type == PML_CONFIG_INT || key->type == PML_CONFIG_REAL;
    char *end_a, *end_b;
    if (is_number) {
        const double x = strtod(a, &end_a), y = strtod(b, &end_b);
        return *end_a == '\0' && *end_b == '\0' && end_a != a && end_b != b && x >= y && x <= y;
    }
    return strcmp(a, b) == 0;
}

static pml_status fail_unsaid(const writing *w, const pml_config_key *key) {
    char text[VALUE_BYTES];
    current_text(w, key, text);
    return PML_FAIL(w->error, PML_E_UNSUPPORTED, "dialect %s cannot say %s = %s, as this model has it",
                    w->dialect->name, key->name, text[0] != '\0' ? text : "[…]");
}

static pml_status holds(const writing *w, const char *when, bool *value) {
    int64_t number = 1;
    const pml_status status =
        when != NULL ? pml_schema_eval(w->schema, w->metadata, when, -1, &number, w->error) : PML_OK;
    *value = number != 0;
    return status;
}

/* Takes a source's name; *is_new is false where it was written before. */
static pml_status take_source(writing *w, const char *source, const char *value, size_t *i_source, bool *is_new) {
    pml_status status = PML_OK;
    PML_TRY(
        pml_names_add(&w->sources, source, strlen(source), PML_MAX_METADATA_KEYS, "keys", i_source, is_new, w->error));
    if (*is_new) {
        PML_TRY(pml_grow(&w->values, &w->values_capacity, *i_source + 1, sizeof *w->values, PML_MAX_METADATA_KEYS,
                         "keys", w->error));
        (void)snprintf(w->values[*i_source], VALUE_BYTES, "%s", value);
    }
done:
    return status;
}

/* ---- literals ---- */
static pml_status write_literal(const writing *w, const char *key, const char *literal) {
    pml_status status = PML_OK;
    char text[VALUE_BYTES];
    const size_t length = strlen(literal);
    if (literal[0] == '"' || literal[0] == '{') {
        (void)snprintf(text, sizeof text, "%.*s", (int)(length < 2 ? 0 : length - 2), literal + 1);
    }
    if (literal[0] == '"') {
        pml_json_string(w->json, key, text);
    } else if (literal[0] == '{') {
        int64_t value;
        PML_TRY(pml_schema_eval(w->schema, w->metadata, text, -1, &value, w->error));
        pml_json_i64(w->json, key, value);
    } else if (strcmp(literal, "true") == 0 || strcmp(literal, "false") == 0) {
        pml_json_bool(w->json, key, literal[0] == 't');
    } else if (strcmp(literal, "null") == 0) {
        pml_json_null(w->json, key);
    } else if (strchr(literal, '.') != NULL) {
        pml_json_f64(w->json, key, strtod(literal, NULL));
    } else {
        pml_json_i64(w->json, key, strtoll(literal, NULL, 10));
    }
done:
    return status;
}

/* Whether a line of the dialect's own writes the source, and whether one of them counted. */
static bool is_listed(const writing *w, const char *source) {
    for (const pml_map_written *line = w->dialect->written; line != NULL && line->source != NULL; line++) {
        if (strcmp(line->source, source) == 0) {
            return true;
        }
    }
    return false;
}

static pml_status write_lines(writing *w) {
    pml_status status = PML_OK;
    for (const pml_map_written *line = w->dialect->written; line != NULL && line->source != NULL; line++) {
        size_t i_source;
        bool applies, is_new;
        PML_TRY(holds(w, line->when, &applies));
        if (!applies) {
            continue;
        }
        PML_TRY(take_source(w, line->source, "", &i_source, &is_new));
        if (is_new && line->literal != NULL) {
            PML_TRY(write_literal(w, line->source, line->literal));
        }
    }
done:
    return status;
}

/* ---- keys ---- */
/* The first word of "source=canonical|…" that means `value`; false: there is none. */
static bool find_word(const char *words, const char *value, char word[VALUE_BYTES]) {
    const size_t length = strlen(value);
    for (const char *at = words; at != NULL && *at != '\0';) {
        const size_t entry = strcspn(at, "|"), left = strcspn(at, "=");
        if (left < entry && entry - left - 1 == length && memcmp(at + left + 1, value, length) == 0) {
            (void)snprintf(word, VALUE_BYTES, "%.*s", (int)left, at);
            return true;
        }
        at += entry + (at[entry] == '|');
    }
    return false;
}

static void write_choice(const writing *w, const pml_config_rule *rule, const char *word) {
    const char *key = rule->source;
    if (rule->is_list) {
        pml_json_begin_array(w->json, key);
        key = NULL;
    }
    if (strcmp(word, "@true") == 0 || strcmp(word, "@false") == 0) {
        pml_json_bool(w->json, key, word[1] == 't');
    } else {
        pml_json_string(w->json, key, strcmp(word, "@null") == 0 ? NULL : word);
    }
    if (rule->is_list) {
        pml_json_end_array(w->json);
    }
}

static void write_plain(const writing *w, const pml_config_rule *rule, const pml_meta_entry *entry) {
    const char *key = rule->source;
    switch (entry->type) {
    case PML_META_BOOL: {
        const bool value = entry->value.boolean != rule->is_inverted;
        if (rule->is_number) {
            pml_json_i64(w->json, key, value ? 1 : 0);
        } else {
            pml_json_bool(w->json, key, value);
        }
        break;
    }
    case PML_META_I64:
        pml_json_i64(w->json, key, entry->value.i64);
        break;
    case PML_META_F64:
        pml_json_f64(w->json, key, entry->value.f64);
        break;
    case PML_META_I64_ARRAY:
    case PML_META_F64_ARRAY:
        pml_json_begin_array(w->json, key);
        for (uint64_t i = 0; i < entry->count; i++) {
            if (entry->type == PML_META_I64_ARRAY) {
                pml_json_i64(w->json, NULL, entry->value.i64s[i]);
            } else {
                pml_json_f64(w->json, NULL, entry->value.f64s[i]);
            }
        }
        pml_json_end_array(w->json);
        break;
    default:
        break;
    }
}

static pml_status write_rule(writing *w, const pml_config_rule *rule) {
    pml_status status = PML_OK;
    const pml_config_key *key = pml_schema_key(w->schema, rule->key);
    const pml_meta_entry *entry = find_entry(w, rule->key);
    char text[VALUE_BYTES], word[VALUE_BYTES];
    size_t i_source;
    bool has_effect, is_new;
    current_text(w, key, text);
    PML_TRY(holds(w, rule->when, &has_effect));
    if (rule->is_fixed) {
        if (has_effect && !is_same(key, text, rule->fallback)) {
            PML_TRY(PML_FAIL(w->error, PML_E_UNSUPPORTED, "in dialect %s %s is always %s; this model has %s",
                             w->dialect->name, rule->key, rule->fallback, text));
        }
        goto done;
    }
    const bool is_by_tensors =
        rule->source == NULL || (key->type == PML_CONFIG_CHOICE && rule->words == NULL && !is_listed(w, rule->source));
    if (has_effect == 0 || is_by_tensors) {
        goto done;
    }
    if (is_listed(w, rule->source)) {
        if (!pml_names_find(&w->sources, rule->source, strlen(rule->source), &i_source)) {
            PML_TRY(fail_unsaid(w, key));
        }
        goto done;
    }
    if (entry == NULL) {
        goto done;
    }
    if (key->type == PML_CONFIG_CHOICE && !find_word(rule->words, text, word)) {
        PML_TRY(fail_unsaid(w, key));
    }
    PML_TRY(take_source(w, rule->source, text, &i_source, &is_new));
    if (!is_new) {
        if (text[0] == '\0' || !is_same(key, text, w->values[i_source])) {
            PML_TRY(PML_FAIL(w->error, PML_E_UNSUPPORTED,
                             "dialect %s says %s and another key by one argument, %s; in this model they differ",
                             w->dialect->name, rule->key, rule->source));
        }
    } else if (key->type == PML_CONFIG_CHOICE) {
        write_choice(w, rule, word);
    } else {
        write_plain(w, rule, entry);
    }
done:
    return status;
}

/* A key of the model that no row of the dialect reads: what it says must be what the dialect does without saying. */
static pml_status check_unread(const writing *w, const pml_config_key *key) {
    pml_status status = PML_OK;
    char text[VALUE_BYTES];
    const pml_meta_entry *entry = find_entry(w, key->name);
    for (const pml_config_rule *rule = w->dialect->keys; rule->key != NULL; rule++) {
        if (strcmp(rule->key, key->name) == 0) {
            goto done;
        }
    }
    current_text(w, key, text);
    for (const pml_map_implied *line = w->dialect->implied; line != NULL && line->key != NULL; line++) {
        bool value;
        if (strcmp(line->key, key->name) == 0) {
            PML_TRY(holds(w, line->value, &value));
            if (strcmp(text, value ? "true" : "false") != 0) {
                PML_TRY(fail_unsaid(w, key));
            }
            goto done;
        }
    }
    if (entry != NULL && (key->absent == NULL || !is_same(key, text, key->absent))) {
        PML_TRY(fail_unsaid(w, key));
    }
done:
    return status;
}

/* ---- labels ---- */
static pml_status write_labels(const writing *w) {
    pml_status status = PML_OK;
    const pml_meta_entry *labels = pml_metadata_find(w->metadata, "text.labels");
    pml_names distinct = {0};
    if (!w->dialect->has_labels || labels == NULL || labels->type != PML_META_STRING_ARRAY) {
        goto done;
    }
    pml_json_begin_object(w->json, "id2label");
    for (uint64_t i = 0; i < labels->count; i++) {
        char id[24];
        size_t i_name;
        bool is_new;
        (void)snprintf(id, sizeof id, "%" PRIu64, i);
        pml_json_string(w->json, id, labels->value.strings[i]);
        PML_TRY(pml_names_add(&distinct, labels->value.strings[i], strlen(labels->value.strings[i]), PML_MAX_TENSORS,
                              "labels", &i_name, &is_new, w->error));
    }
    pml_json_end_object(w->json);
    if (pml_names_count(&distinct) == labels->count) { /* otherwise there is no way back from a label */
        pml_json_begin_object(w->json, "label2id");
        for (uint64_t i = 0; i < labels->count; i++) {
            pml_json_u64(w->json, labels->value.strings[i], i);
        }
        pml_json_end_object(w->json);
    }
done:
    pml_names_deinit(&distinct);
    return status;
}

pml_status pml_reverse_config_write(const pml_map_dialect *dialect, const pml_schema *schema,
                                    const pml_metadata *metadata, pml_json_writer *json, pml_error *error) {
    pml_status status = PML_OK;
    writing w = {.dialect = dialect, .schema = schema, .metadata = metadata, .json = json, .error = error};
    PML_TRY(write_lines(&w));
    for (const pml_config_rule *rule = dialect->keys; rule->key != NULL; rule++) {
        PML_TRY(write_rule(&w, rule));
    }
    for (const pml_config_key *key = schema->config; key->name != NULL; key++) {
        PML_TRY(check_unread(&w, key));
    }
    PML_TRY(write_labels(&w));
done:
    pml_names_deinit(&w.sources);
    pml_free(w.values);
    return status;
}
