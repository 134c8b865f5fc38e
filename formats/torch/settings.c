/* Settings as JSON. What is shared or circular in the pickle is written out, so everything written is counted. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/torch/checkpoint.h"
#include "runtime/base/alloc.h"
#include "runtime/base/json_writer.h"

enum { MOST_DEPTH = 16, MOST_VALUES = 65536, MOST_BYTES = PML_MAX_CONFIG_BYTES };

typedef struct settings {
    const pml_pickle *pickle;
    pml_json_writer json;
    size_t n_values, n_bytes; /* looked at so far */
    bool is_too_large;
} settings;

static bool is_plain_text(settings *s, const pml_pickle_value *value) {
    s->n_bytes += value->count;
    return value->kind == PML_PICKLE_TEXT && memchr(value->text, 0, value->count) == NULL;
}

/* True when `value` can be written. Counts what it looks at, so that a graph without end is not walked without end. */
static bool is_plain(settings *s, uint32_t i_value, unsigned depth) {
    const pml_pickle_value *value = pml_pickle_at(s->pickle, i_value);
    s->is_too_large = s->is_too_large || ++s->n_values > MOST_VALUES || s->n_bytes > MOST_BYTES;
    if (s->is_too_large || depth > MOST_DEPTH) {
        return false;
    }
    switch ((pml_pickle_kind)value->kind) {
    case PML_PICKLE_NONE:
    case PML_PICKLE_BOOL:
    case PML_PICKLE_INTEGER:
    case PML_PICKLE_DICT: /* of its entries, those that are plain */
        return true;
    case PML_PICKLE_REAL:
        return isfinite(value->real);
    case PML_PICKLE_TEXT:
        return is_plain_text(s, value);
    case PML_PICKLE_LIST:
    case PML_PICKLE_TUPLE:
        for (uint32_t i = 0; i < value->count; i++) {
            if (!is_plain(s, value->items[i], depth + 1)) {
                return false;
            }
        }
        return true;
    default:
        return false;
    }
}

static pml_status write_value(settings *s, const char *key, uint32_t i_value, unsigned depth, pml_error *error);

static pml_status write_entries(settings *s, const pml_pickle_value *dict, unsigned depth, pml_error *error) {
    pml_status status = PML_OK;
    char *key = NULL;
    for (uint32_t i = 0; i + 1 < dict->count && !s->is_too_large; i += 2) {
        const pml_pickle_value *name = pml_pickle_at(s->pickle, dict->items[i]);
        if (is_plain_text(s, name) && is_plain(s, dict->items[i + 1], depth + 1)) {
            PML_TRY(pml_string_copy((const char *)name->text, name->count, &key, error));
            PML_TRY(write_value(s, key, dict->items[i + 1], depth + 1, error));
            pml_free(key);
            key = NULL;
        }
    }
done:
    pml_free(key);
    return status;
}

/* Of a value that is plain. */
static pml_status write_value(settings *s, const char *key, uint32_t i_value, unsigned depth, pml_error *error) {
    pml_status status = PML_OK;
    const pml_pickle_value *value = pml_pickle_at(s->pickle, i_value);
    char *text = NULL;
    switch ((pml_pickle_kind)value->kind) {
    case PML_PICKLE_BOOL:
        pml_json_bool(&s->json, key, value->integer != 0);
        break;
    case PML_PICKLE_INTEGER:
        pml_json_i64(&s->json, key, value->integer);
        break;
    case PML_PICKLE_REAL:
        pml_json_f64(&s->json, key, value->real);
        break;
    case PML_PICKLE_TEXT:
        PML_TRY(pml_string_copy((const char *)value->text, value->count, &text, error));
        pml_json_string(&s->json, key, text);
        break;
    case PML_PICKLE_DICT:
        pml_json_begin_object(&s->json, key);
        PML_TRY(write_entries(s, value, depth, error));
        pml_json_end_object(&s->json);
        break;
    case PML_PICKLE_LIST:
    case PML_PICKLE_TUPLE:
        pml_json_begin_array(&s->json, key);
        for (uint32_t i = 0; i < value->count; i++) {
            PML_TRY(write_value(s, NULL, value->items[i], depth + 1, error));
        }
        pml_json_end_array(&s->json);
        break;
    default:
        pml_json_null(&s->json, key);
        break;
    }
done:
    pml_free(text);
    return status;
}

/* The entries of a dict, or of an object: those put into it, or else its attributes. */
static const pml_pickle_value *entries_of(const pml_pickle *pickle, uint32_t i_value) {
    const pml_pickle_value *value = pml_pickle_at(pickle, i_value);
    if (value->kind == PML_PICKLE_OPAQUE && value->count == 0) {
        value = pml_pickle_at(pickle, value->state);
    }
    bool is_dict = value->kind == PML_PICKLE_DICT || (value->kind == PML_PICKLE_OPAQUE && value->is_ordered);
    return is_dict ? value : NULL;
}

pml_status pml_torch_settings_add(pml_source *source, const pml_pickle *pickle, const char *key, uint32_t dict,
                                  pml_error *error) {
    pml_status status = PML_OK;
    settings s = {.pickle = pickle};
    char *text = NULL;
    size_t text_bytes = 0;
    const pml_pickle_value *entries = entries_of(pickle, dict);
    if (entries == NULL) {
        goto done;
    }
    FILE *stream = open_memstream(&text, &text_bytes);
    if (stream == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "no memory for the settings in the checkpoint"));
        goto done;
    }
    pml_json_writer_init(&s.json, stream, false);
    pml_json_begin_object(&s.json, NULL);
    status = write_entries(&s, entries, 0, error);
    pml_json_end_object(&s.json);
    if (fclose(stream) != 0 && status == PML_OK) {
        status = PML_FAIL(error, PML_E_MEMORY, "no memory for the settings in the checkpoint");
    }
    if (status == PML_OK && !s.is_too_large && text_bytes > 2) {
        PML_TRY(pml_source_add_attribute(source, key, text, error));
    }
done:
    free(text); /* of open_memstream */
    return status;
}
