#include "runtime/train/fresh_config.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/quote.h"
#include "runtime/base/random.h"

#define MAX_ELEMENTS 4096u /* of a list */
#define MODES 64u

typedef struct config_name {
    char text[128];
} config_name;

static config_name full_name(const char *key) {
    config_name name;
    (void)snprintf(name.text, sizeof name.text, "config.%s", key);
    return name;
}

static const char *type_name(pml_config_type type) {
    static const char *const names[] = {[PML_CONFIG_INT] = "an integer",
                                        [PML_CONFIG_REAL] = "a number",
                                        [PML_CONFIG_BOOL] = "true or false",
                                        [PML_CONFIG_CHOICE] = "text",
                                        [PML_CONFIG_INT_LIST] = "a list of integers",
                                        [PML_CONFIG_REAL_LIST] = "a list of numbers"};
    return names[type];
}

static pml_status find_key(const pml_schema *schema, const char *name, const pml_config_key **key, pml_error *error) {
    pml_quoted quoted;
    char known[1024] = "";
    size_t used = 0;
    *key = pml_schema_key(schema, name);
    if (*key != NULL) {
        return PML_OK;
    }
    for (const pml_config_key *k = schema->config; k->name != NULL && used < sizeof known; k++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used == 0 ? "" : ", ", k->name);
    }
    return PML_FAIL(error, PML_E_CONFIG, "family %s has no key %s; it has %.700s", schema->name,
                    pml_quote(&quoted, name), known);
}

/* ---- numbers, whatever they were written in ---- */
/* A list that grows; the last step of every value that is a number or has several. */
typedef struct numbers {
    double values[MAX_ELEMENTS];
    size_t count;
} numbers;

static bool is_integer(double value) {
    return value == floor(value) && fabs(value) <= 9007199254740992.0;
}

static pml_status store(const pml_config_key *key, const numbers *n, pml_metadata *metadata, pml_error *error) {
    pml_status status = PML_OK;
    const config_name name = full_name(key->name);
    int64_t *integers = NULL;
    const bool is_list = key->type == PML_CONFIG_INT_LIST || key->type == PML_CONFIG_REAL_LIST;
    const bool is_whole = key->type == PML_CONFIG_INT || key->type == PML_CONFIG_INT_LIST;
    for (size_t i = 0; i < n->count && is_whole; i++) {
        if (!is_integer(n->values[i])) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s is %s, not %g", key->name, type_name(key->type), n->values[i]));
        }
    }
    if (!is_list && is_whole) {
        PML_TRY(pml_metadata_set_i64(metadata, name.text, (int64_t)n->values[0], error));
    } else if (!is_list) {
        PML_TRY(pml_metadata_set_f64(metadata, name.text, n->values[0], error));
    } else if (is_whole) {
        PML_TRY(pml_alloc(n->count + 1, sizeof *integers, &integers, error));
        for (size_t i = 0; i < n->count; i++) {
            integers[i] = (int64_t)n->values[i];
        }
        PML_TRY(pml_metadata_set_i64s(metadata, name.text, integers, n->count, error));
    } else {
        PML_TRY(pml_metadata_set_f64s(metadata, name.text, n->values, n->count, error));
    }

done:
    pml_free(integers);
    return status;
}

static pml_status wrong_type(const pml_config_key *key, pml_error *error) {
    return PML_FAIL(error, PML_E_CONFIG, "%s must be %s", key->name, type_name(key->type));
}

/* ---- text ---- */
static pml_status read_numbers(const pml_config_key *key, const char *text, numbers *n, pml_error *error) {
    n->count = 0;
    for (const char *at = text;;) {
        char *end = NULL;
        const bool begins = *at == '-' || *at == '.' || (*at >= '0' && *at <= '9');
        const double value = begins ? strtod(at, &end) : 0;
        const char *last = at + strspn(at, "0123456789+-.eE"); /* no hexadecimal ones */
        if (!begins || end != last || !isfinite(value) || (*end != '\0' && *end != ',') || n->count == MAX_ELEMENTS) {
            return wrong_type(key, error);
        }
        n->values[n->count++] = value;
        if (*end == '\0') {
            return PML_OK;
        }
        at = end + 1;
    }
}

static pml_status set_text(const pml_config_key *key, const char *text, pml_metadata *metadata, pml_error *error) {
    pml_status status = PML_OK;
    const config_name name = full_name(key->name);
    numbers *n = NULL;
    if (key->type == PML_CONFIG_CHOICE) {
        PML_TRY(pml_metadata_set_string(metadata, name.text, text, error));
    } else if (key->type == PML_CONFIG_BOOL) {
        const bool is_true = strcmp(text, "true") == 0;
        PML_TRY(is_true || strcmp(text, "false") == 0 ? PML_OK : wrong_type(key, error));
        PML_TRY(pml_metadata_set_bool(metadata, name.text, is_true, error));
    } else {
        PML_TRY(pml_alloc(1, sizeof *n, &n, error));
        PML_TRY(read_numbers(key, text, n, error));
        const bool is_list = key->type == PML_CONFIG_INT_LIST || key->type == PML_CONFIG_REAL_LIST;
        PML_TRY(is_list || n->count == 1 ? PML_OK : wrong_type(key, error));
        PML_TRY(store(key, n, metadata, error));
    }

done:
    pml_free(n);
    return status;
}

pml_status pml_fresh_config_set(const pml_schema *schema, const char *setting, pml_metadata *metadata,
                                pml_error *error) {
    pml_status status = PML_OK;
    const pml_config_key *key;
    pml_quoted quoted;
    char name[128];
    const char *equals = strchr(setting, '=');
    if (equals == NULL || (size_t)(equals - setting) >= sizeof name) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%s is not KEY=VALUE", pml_quote(&quoted, setting)));
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)(equals - setting), setting);
    PML_TRY(find_key(schema, name, &key, error));
    PML_TRY(set_text(key, equals + 1, metadata, error));

done:
    return status;
}

/* ---- JSON ---- */
static pml_status read_list(pml_json_reader *json, const pml_config_key *key, numbers *n, pml_error *error) {
    pml_status status = PML_OK;
    n->count = 0;
    PML_TRY(pml_json_next(json, error));
    while (json->token == PML_JSON_NUMBER && n->count < MAX_ELEMENTS) {
        n->values[n->count++] = json->number;
        PML_TRY(pml_json_next(json, error));
    }
    PML_TRY(json->token == PML_JSON_ARRAY_END ? PML_OK : wrong_type(key, error));

done:
    return status;
}

static pml_status read_value(pml_json_reader *json, const pml_config_key *key, numbers *n, pml_metadata *metadata,
                             pml_error *error) {
    pml_status status = PML_OK;
    const config_name name = full_name(key->name);
    const bool is_list = key->type == PML_CONFIG_INT_LIST || key->type == PML_CONFIG_REAL_LIST;
    PML_TRY(pml_json_next(json, error));
    if (is_list && json->token == PML_JSON_ARRAY_BEGIN) {
        PML_TRY(read_list(json, key, n, error));
        PML_TRY(store(key, n, metadata, error));
    } else if (key->type == PML_CONFIG_CHOICE && json->token == PML_JSON_STRING) {
        PML_TRY(pml_metadata_set_string(metadata, name.text, json->text, error));
    } else if (key->type == PML_CONFIG_BOOL && (json->token == PML_JSON_TRUE || json->token == PML_JSON_FALSE)) {
        PML_TRY(pml_metadata_set_bool(metadata, name.text, json->token == PML_JSON_TRUE, error));
    } else if ((key->type == PML_CONFIG_INT || key->type == PML_CONFIG_REAL) && json->token == PML_JSON_NUMBER) {
        n->values[0] = json->number;
        n->count = 1;
        PML_TRY(store(key, n, metadata, error));
    } else {
        PML_TRY(wrong_type(key, error));
    }

done:
    return status;
}

pml_status pml_fresh_config_read(const pml_schema *schema, const void *bytes, size_t size_bytes, const char *name,
                                 pml_metadata *metadata, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader json;
    numbers *n = NULL;
    const pml_config_key *key = NULL;
    pml_json_reader_init(&json, bytes, size_bytes, 0, name, PML_MAX_CONFIG_BYTES);
    PML_TRY(pml_alloc(1, sizeof *n, &n, error));
    PML_TRY(pml_json_expect(&json, PML_JSON_OBJECT_BEGIN, "an object of configuration keys", error));
    for (;;) {
        PML_TRY(pml_json_next(&json, error));
        if (json.token == PML_JSON_OBJECT_END) {
            break;
        }
        status = find_key(schema, json.text, &key, error);
        if (status == PML_OK && pml_metadata_find(metadata, full_name(key->name).text) != NULL) {
            status = PML_FAIL(error, PML_E_CONFIG, "key %s stands twice", key->name);
        }
        status = status == PML_OK ? read_value(&json, key, n, metadata, error) : status;
        if (status == PML_E_CONFIG) { /* ours; the reader's own have their place */
            char cause[sizeof error->message];
            (void)snprintf(cause, sizeof cause, "%s", error->message);
            (void)pml_json_fail(&json, error, cause);
        }
        PML_TRY(status);
    }
    PML_TRY(pml_json_expect(&json, PML_JSON_END, "the end", error));

done:
    pml_json_reader_deinit(&json);
    pml_free(n);
    return status;
}

/* ---- what is not said ---- */
typedef struct filling {
    const pml_schema *schema;
    const pml_fresh_facts *facts;
    pml_metadata *metadata;
    uint64_t n_drawn; /* lists so far */
} filling;

/* n_modes of the numbers below n_all, each choice as likely as any other (Floyd), in ascending order. */
static void draw_sorted(pml_random *random, size_t n_all, size_t n_modes, double *values) {
    for (size_t n = 0; n < n_modes; n++) {
        const size_t last = n_all - n_modes + n; /* greater than all before */
        double value = (double)pml_random_draw_below(random, last + 1);
        for (size_t i = 0; i < n; i++) {
            if (values[i] == value) {
                value = (double)last;
                break;
            }
        }
        size_t at = n;
        for (; at > 0 && values[at - 1] > value; at--) {
            values[at] = values[at - 1];
        }
        values[at] = value;
    }
}

static pml_status set_modes(filling *f, const pml_config_key *key, const char *expression, pml_error *error) {
    pml_status status = PML_OK;
    numbers *n = NULL;
    int64_t steps;
    pml_random random = {.seed = f->facts->seed, .stream = UINT64_MAX - f->n_drawn++};
    PML_TRY(pml_schema_eval(f->schema, f->metadata, expression, -1, &steps, error));
    const size_t n_all = steps < 4 ? 1 : (size_t)steps / 2;
    PML_TRY(pml_alloc(1, sizeof *n, &n, error));
    n->count = n_all < MODES ? n_all : MODES;
    draw_sorted(&random, n_all, n->count, n->values);
    PML_TRY(store(key, n, f->metadata, error));

done:
    pml_free(n);
    return status;
}

static bool begins_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static pml_status set_from_data(filling *f, const pml_config_key *key, const char *value, pml_error *error) {
    const config_name name = full_name(key->name);
    if (strcmp(value, "@channels") == 0) {
        return f->facts->n_channels == 0
                   ? PML_OK /* the check names what is missing */
                   : pml_metadata_set_i64(f->metadata, name.text, (int64_t)f->facts->n_channels, error);
    }
    if (strcmp(value, "@labels") == 0) {
        return f->facts->n_labels == 0
                   ? PML_OK
                   : pml_metadata_set_i64(f->metadata, name.text, (int64_t)f->facts->n_labels, error);
    }
    if (strcmp(value, "@marks") == 0) {
        return pml_metadata_set_string(f->metadata, name.text, f->facts->has_dates ? "timeF" : "none", error);
    }
    if (strcmp(value, "@frequency") == 0) {
        const char letter[2] = {f->facts->frequency == 0 ? 'h' : f->facts->frequency, '\0'};
        return pml_metadata_set_string(f->metadata, name.text, letter, error);
    }
    if (strcmp(value, "@tokenizer") == 0) {
        const pml_meta_entry *entry =
            f->facts->tokenizer == NULL ? NULL : pml_metadata_find(f->facts->tokenizer, name.text);
        return entry == NULL ? PML_OK : pml_metadata_set_entry(f->metadata, entry, error);
    }
    if (begins_with(value, "@count:")) {
        const pml_meta_entry *list = pml_metadata_find(f->metadata, full_name(value + strlen("@count:")).text);
        return list == NULL ? PML_OK : pml_metadata_set_i64(f->metadata, name.text, (int64_t)list->count, error);
    }
    return set_modes(f, key, value + strlen("@modes:"), error);
}

static pml_status set_key(filling *f, const pml_fresh_key *row, pml_error *error) {
    pml_status status = PML_OK;
    const pml_config_key *key = pml_schema_key(f->schema, row->key);
    const config_name name = full_name(row->key);
    int64_t number = 1;
    if (pml_metadata_find(f->metadata, name.text) != NULL) {
        goto done;
    }
    if (row->when != NULL) {
        PML_TRY(pml_schema_eval(f->schema, f->metadata, row->when, -1, &number, error));
    }
    if (number == 0) {
        goto done;
    }
    if (row->value[0] == '@') {
        PML_TRY(set_from_data(f, key, row->value, error));
    } else if (key->type == PML_CONFIG_INT || key->type == PML_CONFIG_BOOL) {
        PML_TRY(pml_schema_eval(f->schema, f->metadata, row->value, -1, &number, error));
        PML_TRY(key->type == PML_CONFIG_INT ? pml_metadata_set_i64(f->metadata, name.text, number, error)
                                            : pml_metadata_set_bool(f->metadata, name.text, number != 0, error));
    } else {
        PML_TRY(set_text(key, row->value, f->metadata, error));
    }

done:
    return status;
}

pml_status pml_fresh_config_complete(const pml_schema *schema, const pml_fresh_facts *facts, pml_metadata *metadata,
                                     pml_error *error) {
    pml_status status = PML_OK;
    filling f = {.schema = schema, .facts = facts, .metadata = metadata};
    int64_t is_unmade = 0;
    if (schema->fresh == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "models of family %s are not made from nothing", schema->name));
    }
    for (const pml_fresh_key *row = schema->fresh->keys; row->key != NULL; row++) {
        PML_TRY(set_key(&f, row, error));
    }
    PML_TRY(pml_schema_check_config(schema, metadata, error));
    if (schema->fresh->unmade_when != NULL) {
        PML_TRY(pml_schema_eval(schema, metadata, schema->fresh->unmade_when, -1, &is_unmade, error));
    }
    if (is_unmade != 0) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                         "a model of family %s is not made from nothing where %s: convert one", schema->name,
                         schema->fresh->unmade_when));
    }

done:
    return status;
}
