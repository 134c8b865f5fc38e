#include "mappers/config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mappers/mapping.h"
#include "runtime/base/alloc.h"
#include "runtime/base/choice.h"
#include "runtime/base/json_reader.h"

typedef enum origin { FROM_NOWHERE, FROM_SETTING, FROM_FILE, FROM_TENSORS, FROM_DEFAULT } origin;

typedef struct given { /* a value as the user or the file gives it */
    origin from;
    const char *name;    /* the spelling of the key that was used */
    const char *setting; /* FROM_SETTING: the text after "=" */
    const cJSON *node;   /* FROM_FILE */
} given;

/* ---- finding ---- */
static const char *setting_value(const char *setting, const char *key) {
    size_t length = key != NULL ? strlen(key) : 0;
    return length > 0 && strncmp(setting, key, length) == 0 && setting[length] == '=' ? setting + length + 1 : NULL;
}

static given find(const pml_config_reader *r, const pml_config_rule *rule) {
    const char *const names[] = {rule->key, rule->source, rule->alias};
    for (size_t i = r->source->options->n_settings; i-- > 0;) {
        for (size_t j = 0; j < 3; j++) {
            const char *text = setting_value(r->source->options->settings[i], names[j]);
            if (text != NULL) {
                return (given){.from = FROM_SETTING, .name = names[j], .setting = text};
            }
        }
    }
    for (size_t i = 1; i < 3; i++) {
        size_t j = rule->alias_wins ? 3 - i : i;
        const cJSON *node = names[j] != NULL ? cJSON_GetObjectItemCaseSensitive(r->source->config, names[j]) : NULL;
        if (node != NULL) {
            return (given){.from = FROM_FILE, .name = names[j], .node = node};
        }
    }
    return (given){.from = FROM_NOWHERE};
}

static const char *place(const pml_config_reader *r, const given *g) {
    return g->from == FROM_SETTING ? "--set" : r->source->config_name;
}

/* ---- from words and numbers to canonical text ---- */
/* The canonical form of a word in "a=x|b=y"; false when it is not there. */
static bool translate(const char *words, const char *word, char *text, size_t text_bytes) {
    size_t length = strlen(word);
    for (const char *at = words; at != NULL && *at != '\0';) {
        size_t entry = strcspn(at, "|");
        size_t left = strcspn(at, "=");
        if (left == length && left < entry && memcmp(at, word, length) == 0) {
            (void)snprintf(text, text_bytes, "%.*s", (int)(entry - left - 1), at + left + 1);
            return true;
        }
        at += entry + (at[entry] == '|');
    }
    return false;
}

static pml_status fail_type(const pml_config_reader *r, const given *g, const char *expected, pml_error *error) {
    if (g->from == FROM_SETTING) {
        return PML_FAIL(error, PML_E_CONFIG, "--set %s=%.64s: %s is expected", g->name, g->setting, expected);
    }
    char *printed = cJSON_PrintUnformatted(g->node);
    pml_status status = PML_FAIL(error, PML_E_CONFIG, "%s: %s is %.64s, %s is expected", r->source->config_name,
                                 g->name, printed != NULL ? printed : "?", expected);
    cJSON_free(printed);
    return status;
}

static pml_status read_choice(const pml_config_reader *r, const pml_config_rule *rule, const given *g, char **text,
                              pml_error *error) {
    const char *word = g->setting;
    const cJSON *node = g->node;
    if (g->from == FROM_FILE && rule->is_list && cJSON_IsArray(node)) {
        if (cJSON_GetArraySize(node) != 1) {
            return fail_type(r, g, "a list of exactly one name", error);
        }
        node = cJSON_GetArrayItem(node, 0);
    }
    if (g->from == FROM_FILE) {
        word = cJSON_IsString(node)  ? node->valuestring
               : cJSON_IsTrue(node)  ? "@true"
               : cJSON_IsFalse(node) ? "@false"
               : cJSON_IsNull(node)  ? "@null"
                                     : NULL;
    }
    char canonical[96] = "";
    bool is_known = translate(rule->words, word != NULL ? word : "", canonical, sizeof canonical);
    bool is_literal = word == NULL || word[0] == '@'; /* true, false, null, a number, a container */
    if (is_literal && (!is_known || g->from == FROM_SETTING || cJSON_IsString(node))) {
        return fail_type(r, g, "a name", error);
    }
    if (!is_known && g->from == FROM_SETTING) {
        char literal[32]; /* --set writes null, true and false without quotes; "none" is python's spelling of null */
        (void)snprintf(literal, sizeof literal, "@%.16s",
                       strcmp(word, "none") == 0 || strcmp(word, "None") == 0 ? "null" : word);
        is_known = translate(rule->words, literal, canonical, sizeof canonical);
        const pml_config_key *key = pml_schema_key(r->schema, rule->key);
        if (!is_known && key != NULL && key->choices != NULL) {
            is_known = pml_choice_has(key->choices, word);
            (void)snprintf(canonical, sizeof canonical, "%.64s", word);
        }
    }
    if (!is_known) {
        char known[256]; /* the words without what they mean */
        size_t used = 0;
        for (const char *at = rule->words; at != NULL && *at != '\0' && used + 2 < sizeof known;) {
            int length = (int)strcspn(at, "=");
            int n = snprintf(known + used, sizeof known - used, "%s%.*s", used > 0 ? ", " : "",
                             *at == '@' ? length - 1 : length, *at == '@' ? at + 1 : at);
            used += n < 0 ? 0 : (size_t)n;
            size_t entry = strcspn(at, "|");
            at += entry + (at[entry] == '|');
        }
        return PML_FAIL(error, rule->is_open ? PML_E_UNSUPPORTED : PML_E_CONFIG, "%s: %s '%.64s' is %s (known: %s)",
                        place(r, g), g->name, word, rule->is_open ? "not supported" : "unknown",
                        rule->words != NULL ? known : "none");
    }
    return pml_string_copy(canonical, strlen(canonical), text, error);
}

/* Whether every number of the file's value `name` is spelled as a plain integer; true when the text is not known. */
static pml_status check_spelling(const pml_map_source *source, const char *name, bool *is_integer, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader json;
    bool is_inside = false;
    *is_integer = true;
    pml_json_reader_init(&json, source->config_text, source->config_bytes, 0, source->config_name,
                         PML_MAX_CONFIG_BYTES);
    if (source->config_text == NULL) {
        goto done;
    }
    do {
        PML_TRY(pml_json_next(&json, error));
        if (json.token == PML_JSON_KEY && json.depth == 1) {
            is_inside = strcmp(json.text, name) == 0;
        } else if (json.token == PML_JSON_NUMBER && is_inside) {
            *is_integer = *is_integer && (json.is_i64 || json.is_u64);
        }
    } while (json.token != PML_JSON_END);
done:
    pml_json_reader_deinit(&json);
    return status;
}

static bool node_integer(const cJSON *node, int64_t *value) {
    if (!cJSON_IsNumber(node) || !(fabs(node->valuedouble) <= 9007199254740992.0) ||
        node->valuedouble != floor(node->valuedouble)) {
        return false;
    }
    *value = (int64_t)node->valuedouble;
    return true;
}

static bool text_integer(const char *text, size_t length, int64_t *value) {
    size_t n_sign = length > 0 && text[0] == '-' ? 1 : 0;
    if (length == n_sign || length > n_sign + 18 || strspn(text + n_sign, "0123456789") < length - n_sign) {
        return false;
    }
    *value = strtoll(text, NULL, 10);
    return true;
}

static bool text_real(const char *text, size_t length, double *value) {
    char copy[64];
    if (length == 0 || length >= sizeof copy || strspn(text, "0123456789+-.eE") < length) {
        return false;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *end;
    *value = strtod(copy, &end);
    return *end == '\0' && isfinite(*value);
}

/* One number of a list or scalar, appended to a text of `capacity` bytes. */
static bool append_number(bool is_integer, const cJSON *node, const char *setting, size_t length, char *text,
                          size_t *used, size_t capacity) {
    int64_t i64 = 0;
    double f64 = 0;
    if (is_integer) {
        if (node != NULL ? !node_integer(node, &i64) : !text_integer(setting, length, &i64)) {
            return false;
        }
    } else if (node != NULL) {
        f64 = node->valuedouble;
        if (!cJSON_IsNumber(node) || !isfinite(f64)) {
            return false;
        }
    } else if (!text_real(setting, length, &f64)) {
        return false;
    }
    const char *comma = *used > 0 ? "," : "";
    int n = is_integer ? snprintf(text + *used, capacity - *used, "%s%" PRId64, comma, i64)
                       : snprintf(text + *used, capacity - *used, "%s%.17g", comma, f64);
    *used += n < 0 ? 0 : (size_t)n;
    return *used < capacity;
}

#define NUMBER_BYTES 32u

static pml_status read_numbers(const pml_config_reader *r, const given *g, pml_config_type type, char **text,
                               pml_error *error) {
    pml_status status = PML_OK;
    bool is_integer = type == PML_CONFIG_INT || type == PML_CONFIG_INT_LIST;
    bool is_list = type == PML_CONFIG_INT_LIST || type == PML_CONFIG_REAL_LIST;
    char *buffer = NULL;
    size_t used = 0, capacity = NUMBER_BYTES;
    const cJSON *first = g->node;
    bool is_valid = true;
    if (g->from == FROM_FILE && is_list && cJSON_IsArray(g->node)) {
        first = g->node->child;
        capacity += NUMBER_BYTES * (size_t)cJSON_GetArraySize(g->node);
    } else if (g->from == FROM_SETTING) {
        capacity += 3 * NUMBER_BYTES * strlen(g->setting);
    }
    PML_TRY(pml_alloc(capacity, 1, &buffer, error));
    if (g->from == FROM_FILE) {
        if (is_integer) {
            PML_TRY(check_spelling(r->source, g->name, &is_valid, error));
        }
        for (const cJSON *node = first; is_valid && node != NULL; node = first == g->node ? NULL : node->next) {
            is_valid = append_number(is_integer, node, NULL, 0, buffer, &used, capacity);
        }
    } else {
        for (const char *at = g->setting; is_valid && at != NULL;) {
            size_t length = is_list ? strcspn(at, ",") : strlen(at);
            is_valid = append_number(is_integer, NULL, at, length, buffer, &used, capacity);
            at = at[length] == ',' ? at + length + 1 : NULL;
        }
    }
    if (!is_valid) {
        const char *expected = is_list && g->from == FROM_SETTING
                                   ? (is_integer ? "a list like 1,2" : "a list like 0.5,2")
                               : is_list    ? (is_integer ? "a list of plain integers" : "a list of numbers")
                               : is_integer ? "an integer (written without fraction or exponent)"
                                            : "a finite number";
        PML_TRY(fail_type(r, g, expected, error));
    }
    *text = buffer;
    buffer = NULL;
done:
    pml_free(buffer);
    return status;
}

/* Whether a value is this number, where research code writes 0 and 1 for false and true. */
static bool is_digit(const given *g, int digit) {
    if (g->from == FROM_FILE) {
        return cJSON_IsNumber(g->node) && g->node->valuedouble == (double)digit;
    }
    return g->setting[0] == '0' + digit && g->setting[1] == '\0';
}

/* Research code's command line spells them as Python does. */
static bool is_python_word(const given *g, const char *word) {
    const char *text = g->from == FROM_FILE ? cJSON_GetStringValue(g->node) : g->setting;
    return text != NULL && strcmp(text, word) == 0;
}

static pml_status read_bool(const pml_config_reader *r, const pml_config_rule *rule, const given *g, char **text,
                            pml_error *error) {
    bool is_true = g->from == FROM_FILE ? cJSON_IsTrue(g->node) : strcmp(g->setting, "true") == 0;
    bool is_false = g->from == FROM_FILE ? cJSON_IsFalse(g->node) : strcmp(g->setting, "false") == 0;
    if (rule->is_number) {
        is_true = is_true || is_digit(g, 1) || is_python_word(g, "True");
        is_false = is_false || is_digit(g, 0) || is_python_word(g, "False");
    }
    if (!is_true && !is_false) {
        return fail_type(r, g, rule->is_number ? "true, false, 1 or 0" : "true or false", error);
    }
    if (rule->is_inverted && strcmp(g->name, rule->key) != 0) {
        is_true = !is_true;
    }
    return pml_string_copy(is_true ? "true" : "false", is_true ? 4 : 5, text, error);
}

static bool is_null(const given *g) {
    if (g->from == FROM_FILE) {
        return cJSON_IsNull(g->node);
    }
    return strcmp(g->setting, "null") == 0 || strcmp(g->setting, "none") == 0 || strcmp(g->setting, "None") == 0;
}

static pml_status convert(const pml_config_reader *r, const pml_config_rule *rule, const given *g, pml_config_type type,
                          char **text, pml_error *error) {
    if (rule->null_is_absent && is_null(g)) {
        const char *value = type == PML_CONFIG_BOOL ? "false" : rule->fallback;
        return value != NULL ? pml_string_copy(value, strlen(value), text, error) : PML_OK;
    }
    switch (type) {
    case PML_CONFIG_CHOICE:
        return read_choice(r, rule, g, text, error);
    case PML_CONFIG_BOOL:
        return read_bool(r, rule, g, text, error);
    default:
        return read_numbers(r, g, type, text, error);
    }
}

pml_status pml_config_get(pml_config_reader *reader, const pml_config_rule *rule, pml_config_type type, char **text,
                          pml_error *error) {
    given g = find(reader, rule);
    *text = NULL;
    if (g.from == FROM_NOWHERE) {
        return PML_OK;
    }
    return convert(reader, rule, &g, type, text, error);
}

/* ---- from canonical text to metadata ---- */
static pml_status store_list(pml_config_reader *r, const char *key, bool is_integer, const char *text,
                             pml_error *error) {
    pml_status status = PML_OK;
    int64_t *i64s = NULL;
    double *f64s = NULL;
    size_t n = 0, capacity = 1;
    for (const char *at = text; *at != '\0'; at++) {
        capacity += *at == ',';
    }
    PML_TRY(pml_alloc(capacity, sizeof *i64s, &i64s, error));
    PML_TRY(pml_alloc(capacity, sizeof *f64s, &f64s, error));
    for (const char *at = text; at != NULL && *at != '\0'; n++) {
        i64s[n] = is_integer ? strtoll(at, NULL, 10) : 0;
        f64s[n] = strtod(at, NULL);
        at = strchr(at, ',');
        at = at != NULL ? at + 1 : NULL;
    }
    status = is_integer ? pml_metadata_set_i64s(r->config, key, i64s, n, error)
                        : pml_metadata_set_f64s(r->config, key, f64s, n, error);
done:
    pml_free(i64s);
    pml_free(f64s);
    return status;
}

#define KEY_BYTES 160u

static void full_name(const pml_config_key *key, char name[KEY_BYTES]) {
    (void)snprintf(name, KEY_BYTES, "config.%.128s", key->name);
}

static pml_status store(pml_config_reader *r, const pml_config_key *key, const char *text, pml_error *error) {
    char name[KEY_BYTES];
    full_name(key, name);
    switch (key->type) {
    case PML_CONFIG_BOOL:
        return pml_metadata_set_bool(r->config, name, strcmp(text, "true") == 0, error);
    case PML_CONFIG_CHOICE:
        return pml_metadata_set_string(r->config, name, text, error);
    case PML_CONFIG_INT:
        return pml_metadata_set_i64(r->config, name, strtoll(text, NULL, 10), error);
    case PML_CONFIG_REAL:
        return pml_metadata_set_f64(r->config, name, strtod(text, NULL), error);
    default:
        return store_list(r, name, key->type == PML_CONFIG_INT_LIST, text, error);
    }
}

/* ---- the tensors' word ---- */
const pml_config_evidence *pml_config_evidence_find(const pml_config_reader *r, const char *key) {
    for (size_t i = 0; i < r->n_evidence; i++) {
        if (strcmp(r->evidence[i].key, key) == 0) {
            return &r->evidence[i];
        }
    }
    return NULL;
}

static pml_status compare(const pml_config_reader *r, const pml_config_rule *rule, const given *g, const char *text,
                          const pml_config_evidence *e, pml_error *error) {
    char shape[PML_SHAPE_TEXT_BYTES], claim[256];
    const char *derived_from = rule->derived_from != NULL ? rule->derived_from : rule->source;
    if (e == NULL || e->is_soft || strcmp(e->value, text) == 0) {
        return PML_OK;
    }
    if (g->from == FROM_DEFAULT) {
        (void)snprintf(claim, sizeof claim, "%.64s: %.64s is not set and its default is %.32s", r->source->config_name,
                       rule->source, text);
    } else if (g->from == FROM_SETTING) {
        (void)snprintf(claim, sizeof claim, "--set %s=%.64s", g->name, g->setting);
    } else {
        (void)snprintf(claim, sizeof claim, "%.64s: %.64s is %.64s",
                       r->source->config != NULL ? r->source->config_name : "--set",
                       g->name != NULL ? g->name : derived_from, text);
    }
    if (e->tensor == NULL) {
        return PML_FAIL(error, PML_E_CONFIG, "%s, but %s = %s, because there is no tensor %s", claim, rule->key,
                        e->value, e->absent);
    }
    return PML_FAIL(error, PML_E_CONFIG, "%s, but tensor %.200s %s says %s = %s", claim, e->tensor->name,
                    pml_shape_text(e->tensor->shape, e->tensor->rank, shape), rule->key, e->value);
}

static pml_status note(pml_config_reader *r, const pml_config_rule *rule, const given *g, const char *text,
                       const pml_config_evidence *e, pml_error *error) {
    char ***lines = &r->detection->assumed;
    size_t *n = &r->detection->n_assumed;
    if (g->from == FROM_TENSORS && e->tensor != NULL) {
        return pml_detection_add(lines, n, error, "%s = %s (from tensor %s)", rule->key, text, e->tensor->name);
    }
    if (g->from == FROM_TENSORS) {
        return pml_detection_add(lines, n, error, "%s = %s (there is no tensor %s)", rule->key, text, e->absent);
    }
    return pml_detection_add(lines, n, error, "%s = %s (%s %s)", rule->key, text,
                             rule->is_constant ? "the repository's constant" : "default of", rule->source);
}

/* ---- the table ---- */
/* A key that has one value in a dialect. */
static pml_status read_fixed(pml_config_reader *r, const pml_config_rule *rule, pml_error *error) {
    pml_status status = PML_OK;
    const pml_config_key *key = pml_schema_key(r->schema, rule->key);
    char *text = NULL;
    given g = find(r, rule);
    if (g.from == FROM_SETTING) {
        PML_TRY(convert(r, rule, &g, key->type, &text, error));
        if (text == NULL || strcmp(text, rule->fallback) != 0) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "--set %s=%.64s: %s is always %s in dialect %s", g.name, g.setting,
                             rule->key, rule->fallback, r->detection->dialect));
        }
    }
    PML_TRY(store(r, key, rule->fallback, error));
done:
    pml_free(text);
    return status;
}

typedef struct asking { /* the --set options that the user must pass */
    char text[800];
    size_t used;
    const char *doubt; /* what must be passed beside them in a special case; NULL: nothing */
} asking;

static void ask(asking *a, const pml_config_key *key) {
    const char *hint = key->type == PML_CONFIG_CHOICE ? key->choices
                       : key->type == PML_CONFIG_BOOL ? "true|false"
                       : key->type == PML_CONFIG_INT  ? "N"
                       : key->type == PML_CONFIG_REAL ? "X"
                       : key->n_elements == 2         ? "X,Y|none"
                                                      : "N,N,…|none";
    if (a->used < sizeof a->text) {
        int n = snprintf(a->text + a->used, sizeof a->text - a->used, " --set %s=%s", key->name, hint);
        a->used += n < 0 ? 0 : (size_t)n;
    }
}

static pml_status read_rule(pml_config_reader *r, const pml_config_rule *rule, asking *a, pml_error *error) {
    pml_status status = PML_OK;
    char *text = NULL;
    const pml_config_key *key = pml_schema_key(r->schema, rule->key);
    const pml_config_evidence *e = pml_config_evidence_find(r, rule->key);
    given g = find(r, rule);
    int64_t has_effect = 1;
    /* A condition over keys that must still be asked for counts as met, but then nothing is known to be wrong. */
    bool is_undecided =
        rule->when != NULL && pml_schema_eval(r->schema, r->config, rule->when, -1, &has_effect, NULL) != PML_OK;
    has_effect = is_undecided ? 1 : has_effect;
    if (rule->derive != NULL) {
        PML_TRY(rule->derive(r, rule, &text, error));
        g = (given){.from = text != NULL ? FROM_FILE : FROM_NOWHERE};
    } else if (g.from != FROM_NOWHERE) {
        PML_TRY(convert(r, rule, &g, key->type, &text, error));
    }
    bool is_given = g.from != FROM_NOWHERE && (text != NULL || !rule->from_tensors);
    if (!is_given && e != NULL && (r->source->config == NULL || rule->from_tensors)) {
        PML_TRY(pml_string_copy(e->value, strlen(e->value), &text, error));
        g.from = FROM_TENSORS;
        a->doubt = e->doubt != NULL ? e->doubt : a->doubt;
    } else if (!is_given && has_effect != 0 && rule->must_ask && (r->source->config == NULL || rule->from_tensors)) {
        ask(a, key);
        goto done;
    } else if (!is_given && rule->fallback != NULL) {
        PML_TRY(pml_string_copy(rule->fallback, strlen(rule->fallback), &text, error));
        g.from = FROM_DEFAULT;
    }
    if (text == NULL) {
        goto done;
    }
    if (has_effect != 0 && !(is_undecided && a->used > 0)) {
        PML_TRY(compare(r, rule, &g, text, e, error));
    }
    if (!is_given && has_effect != 0) {
        PML_TRY(note(r, rule, &g, text, e, error));
    }
    PML_TRY(store(r, key, text, error));
done:
    pml_free(text);
    return status;
}

static bool is_key_of(const pml_config_rule *rules, const char *const *others, const char *setting) {
    for (const pml_config_rule *rule = rules; rule->key != NULL; rule++) {
        if (setting_value(setting, rule->key) != NULL || setting_value(setting, rule->source) != NULL ||
            setting_value(setting, rule->alias) != NULL) {
            return true;
        }
    }
    for (; others != NULL && *others != NULL; others++) {
        if (setting_value(setting, *others) != NULL) {
            return true;
        }
    }
    return false;
}

static pml_status check_settings(const pml_config_reader *r, const pml_config_rule *rules, pml_error *error) {
    for (size_t i = 0; i < r->source->options->n_settings; i++) {
        const char *setting = r->source->options->settings[i];
        bool is_of_series = strncmp(setting, "series.", 7) == 0 || strncmp(setting, "frequency=", 10) == 0 ||
                            strncmp(setting, "freq=", 5) == 0;
        if (!is_of_series && !is_key_of(rules, r->other_keys, setting)) {
            return PML_FAIL(error, PML_E_CONFIG, "--set %.*s: family %s has no such key", (int)strcspn(setting, "="),
                            setting, r->schema->name);
        }
    }
    return PML_OK;
}

pml_status pml_config_read(pml_config_reader *reader, const pml_config_rule *rules, pml_error *error) {
    pml_status status = PML_OK;
    asking a = {.used = 0};
    PML_TRY(check_settings(reader, rules, error));
    if (reader->source->config != NULL && !cJSON_IsObject(reader->source->config)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: an object is expected", reader->source->config_name));
    }
    for (const pml_config_rule *rule = rules; rule->key != NULL; rule++) {
        PML_TRY(rule->is_fixed ? read_fixed(reader, rule, error) : read_rule(reader, rule, &a, error));
    }
    if (a.used > 0) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s%s, and the tensors cannot tell; pass%s%s%s",
                         reader->source->config == NULL ? "there is no config file" : reader->source->config_name,
                         reader->source->config == NULL ? "" : " does not say", a.text, a.doubt != NULL ? "; " : "",
                         a.doubt != NULL ? a.doubt : ""));
    }
done:
    return status;
}

pml_status pml_config_settle(pml_config_reader *reader, const pml_config_rule *rules, pml_error *error) {
    pml_status status = PML_OK;
    for (const pml_config_rule *rule = rules; rule->key != NULL; rule++) {
        const pml_config_key *key = pml_schema_key(reader->schema, rule->key);
        char name[KEY_BYTES];
        int64_t has_effect = 1;
        full_name(key, name);
        if (rule->when != NULL) {
            PML_TRY(pml_schema_eval(reader->schema, reader->config, rule->when, -1, &has_effect, error));
        }
        if (has_effect == 0 && key->optional) {
            pml_metadata_remove(reader->config, name);
        } else if (has_effect == 0 && rule->fallback != NULL) {
            PML_TRY(store(reader, key, rule->fallback, error));
        }
    }
done:
    return status;
}

pml_status pml_config_refuse(const pml_map_source *source, const char *const *keys, const char *reason,
                             pml_error *error) {
    for (; *keys != NULL; keys++) {
        const cJSON *node = cJSON_GetObjectItemCaseSensitive(source->config, *keys);
        if (node != NULL && !cJSON_IsNull(node)) {
            return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: %s is not supported: %s", source->config_name, *keys,
                            reason);
        }
    }
    return PML_OK;
}

pml_status pml_config_blame(const pml_map_source *source, pml_status status, pml_error *error) {
    bool is_verdict = status == PML_E_CONFIG || status == PML_E_UNSUPPORTED || status == PML_E_FORMAT;
    bool has_settings = source->options != NULL && source->options->n_settings > 0;
    if (!is_verdict || (source->config == NULL && !has_settings)) {
        return status;
    }
    return pml_error_prefix(error, status, "%s%s%s", source->config != NULL ? source->config_name : "",
                            source->config != NULL && has_settings ? " with " : "", has_settings ? "--set" : "");
}
