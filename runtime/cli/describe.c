/* Text for people is cut where it would be long; JSON never is. */
#include "runtime/cli/describe.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/base/alloc.h"

#define SHOWN_ELEMENTS 8u /* of an array, in text */

void pml_shape_json(pml_json_writer *w, const char *key, const uint64_t *shape, unsigned rank) {
    pml_json_begin_array(w, key);
    for (unsigned i = 0; i < rank; i++) {
        pml_json_u64(w, NULL, shape[i]);
    }
    pml_json_end_array(w);
}

const char *pml_file_kind_name(pml_file_kind kind) {
    switch (kind) {
    case PML_KIND_MODEL:
        return "model";
    case PML_KIND_ADAPTER:
        return "adapter";
    case PML_KIND_CHECKPOINT:
        return "checkpoint";
    }
    return "?";
}

const char *pml_meta_type_name(pml_meta_type type) {
    switch (type) {
    case PML_META_BOOL:
        return "bool";
    case PML_META_I64:
        return "i64";
    case PML_META_F64:
        return "f64";
    case PML_META_STRING:
        return "string";
    case PML_META_I64_ARRAY:
        return "i64[]";
    case PML_META_F64_ARRAY:
        return "f64[]";
    case PML_META_STRING_ARRAY:
        return "string[]";
    }
    return "?";
}

typedef struct buffer {
    char *text;
    size_t size, capacity;
} buffer;

static pml_status append_text(buffer *b, const char *text, pml_error *error) {
    size_t length = strlen(text);
    pml_status status = pml_grow(&b->text, &b->capacity, b->size + length + 1, 1, SIZE_MAX / 2, "bytes of text", error);
    if (status == PML_OK) {
        memcpy(b->text + b->size, text, length + 1);
        b->size += length;
    }
    return status;
}

static pml_status append_element(buffer *b, const pml_meta_entry *entry, size_t i, pml_error *error) {
    char number[40] = "";
    switch (entry->type) {
    case PML_META_BOOL:
        return append_text(b, entry->value.boolean ? "true" : "false", error);
    case PML_META_STRING:
        return append_text(b, entry->value.string, error);
    case PML_META_STRING_ARRAY:
        return append_text(b, entry->value.strings[i], error);
    case PML_META_I64:
        snprintf(number, sizeof number, "%" PRId64, entry->value.i64);
        break;
    case PML_META_I64_ARRAY:
        snprintf(number, sizeof number, "%" PRId64, entry->value.i64s[i]);
        break;
    case PML_META_F64:
        snprintf(number, sizeof number, "%.10g", entry->value.f64);
        break;
    case PML_META_F64_ARRAY:
        snprintf(number, sizeof number, "%.10g", entry->value.f64s[i]);
        break;
    }
    return append_text(b, number, error);
}

static bool is_array(pml_meta_type type) {
    return type == PML_META_I64_ARRAY || type == PML_META_F64_ARRAY || type == PML_META_STRING_ARRAY;
}

pml_status pml_meta_value_text(const pml_meta_entry *entry, char **text, pml_error *error) {
    pml_status status = PML_OK;
    buffer b = {0};
    if (entry == NULL) {
        PML_TRY(append_text(&b, "-", error));
    } else if (!is_array(entry->type)) {
        PML_TRY(append_element(&b, entry, 0, error));
    } else {
        PML_TRY(append_text(&b, "[", error));
        for (size_t i = 0; i < entry->count && i < SHOWN_ELEMENTS; i++) {
            PML_TRY(append_text(&b, i == 0 ? "" : ", ", error));
            PML_TRY(append_element(&b, entry, i, error));
        }
        if (entry->count > SHOWN_ELEMENTS) {
            char rest[48];
            snprintf(rest, sizeof rest, ", ... %" PRIu64 " in all", entry->count);
            PML_TRY(append_text(&b, rest, error));
        }
        PML_TRY(append_text(&b, "]", error));
    }
    *text = b.text;
    b.text = NULL;
done:
    pml_free(b.text);
    return status;
}

void pml_meta_value_json(pml_json_writer *w, const char *key, const pml_meta_entry *entry) {
    if (entry == NULL) {
        pml_json_null(w, key);
        return;
    }
    if (is_array(entry->type)) {
        pml_json_begin_array(w, key);
    }
    for (size_t i = 0; i < entry->count; i++) {
        switch (entry->type) {
        case PML_META_BOOL:
            pml_json_bool(w, key, entry->value.boolean);
            break;
        case PML_META_I64:
            pml_json_i64(w, key, entry->value.i64);
            break;
        case PML_META_F64:
            pml_json_f64(w, key, entry->value.f64);
            break;
        case PML_META_STRING:
            pml_json_string(w, key, entry->value.string);
            break;
        case PML_META_I64_ARRAY:
            pml_json_i64(w, NULL, entry->value.i64s[i]);
            break;
        case PML_META_F64_ARRAY:
            pml_json_f64(w, NULL, entry->value.f64s[i]);
            break;
        case PML_META_STRING_ARRAY:
            pml_json_string(w, NULL, entry->value.strings[i]);
            break;
        }
    }
    if (is_array(entry->type)) {
        pml_json_end_array(w);
    }
}

void pml_selftest_json(pml_json_writer *w, const char *key, const pml_selftest_report *report) {
    pml_json_begin_array(w, key);
    for (size_t i = 0; i < report->count; i++) {
        const pml_selftest_result *result = &report->results[i];
        pml_json_begin_object(w, NULL);
        pml_json_string(w, "name", result->name);
        pml_json_bool(w, "passed", result->passed);
        pml_json_string(w, "judged_by", result->by_rms ? "relative_rms" : "max_error");
        pml_json_f64(w, "max_error", result->max_error);
        pml_json_f64(w, "relative_rms", result->relative_rms);
        pml_json_f64(w, "allowed", result->allowed);
        pml_json_end_object(w);
    }
    pml_json_end_array(w);
}

void pml_meta_group_json(pml_json_writer *w, const pml_metadata *metadata, const char *group) {
    size_t length = strlen(group);
    pml_json_begin_object(w, group);
    for (size_t i = 0; i < pml_metadata_count(metadata); i++) {
        const pml_meta_entry *entry = pml_metadata_at(metadata, i);
        if (strncmp(entry->key, group, length) == 0 && entry->key[length] == '.') {
            pml_meta_value_json(w, entry->key + length + 1, entry);
        }
    }
    pml_json_end_object(w);
}

static uint64_t element_count(const pml_file_tensor *tensor) {
    uint64_t count = 1;
    for (unsigned i = 0; i < tensor->rank; i++) {
        count *= tensor->shape[i]; /* cannot wrap: the reader compared it with the stored size */
    }
    return count;
}

size_t pml_tensor_kinds_count(const pml_file *file, pml_tensor_kind kinds[PML_MOST_TENSOR_KINDS],
                              pml_tensor_kind *total) {
    size_t n_kinds = 0;
    *total = (pml_tensor_kind){0};
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        const pml_file_tensor *tensor = pml_file_tensor_at(file, i);
        size_t k = 0;
        while (k < n_kinds && (kinds[k].dtype != tensor->dtype || kinds[k].layout != tensor->layout)) {
            k++;
        }
        if (k == n_kinds && n_kinds < PML_MOST_TENSOR_KINDS) {
            kinds[n_kinds++] = (pml_tensor_kind){.dtype = tensor->dtype, .layout = tensor->layout};
        }
        pml_tensor_kind *both[2] = {&kinds[k < n_kinds ? k : n_kinds - 1], total};
        for (int j = 0; j < 2; j++) {
            both[j]->n_tensors++;
            both[j]->n_elements += element_count(tensor);
            both[j]->size_bytes += tensor->size_bytes;
        }
    }
    return n_kinds;
}

void pml_tensor_kind_json(pml_json_writer *w, const pml_tensor_kind *kind, bool is_total) {
    pml_json_begin_object(w, is_total ? "total" : NULL);
    if (!is_total) {
        pml_json_string(w, "dtype", pml_dtype_name(kind->dtype));
        pml_json_string(w, "layout", pml_layout_name(kind->layout));
    }
    pml_json_u64(w, "tensors", kind->n_tensors);
    pml_json_u64(w, "elements", kind->n_elements);
    pml_json_u64(w, "bytes", kind->size_bytes);
    pml_json_end_object(w);
}
