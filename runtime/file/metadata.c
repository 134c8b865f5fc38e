#include "runtime/file/metadata.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "runtime/file/metadata_entry.h"
#include "runtime/file/record.h"

pml_status pml_metadata_create(pml_metadata **metadata, pml_error *error) {
    return pml_alloc(1, sizeof **metadata, metadata, error);
}

void pml_metadata_destroy(pml_metadata *metadata) {
    if (metadata == NULL) {
        return;
    }
    for (size_t i = 0; i < metadata->count; i++) {
        pml_free(metadata->entries[i]);
    }
    pml_free(metadata->entries);
    pml_free(metadata);
}

static const char *type_name(uint32_t type) {
    static const char *const names[] = {"?", "bool", "i64", "f64", "string", "i64 array", "f64 array", "string array"};
    return names[type <= PML_META_STRING_ARRAY ? type : 0];
}

/* Index of `key`, or of where it would be inserted. */
static size_t locate(const pml_metadata *m, const char *key, bool *found) {
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(m->entries[middle]->key, key);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found = false;
    return low;
}

pml_status pml_meta_put(pml_metadata *m, pml_meta_entry *entry, pml_error *error) {
    bool found;
    size_t index = locate(m, entry->key, &found);
    if (found) {
        pml_free(m->entries[index]);
        m->entries[index] = entry;
        return PML_OK;
    }
    if (m->count >= PML_MAX_METADATA_KEYS) {
        pml_free(entry);
        return PML_FAIL(error, PML_E_ARGUMENT, "more than %u metadata keys", PML_MAX_METADATA_KEYS);
    }
    pml_status status = pml_grow(&m->entries, &m->capacity, m->count + 1, sizeof *m->entries, PML_MAX_METADATA_KEYS,
                                 "metadata keys", error);
    if (status != PML_OK) {
        pml_free(entry);
        return status;
    }
    memmove(m->entries + index + 1, m->entries + index, (m->count - index) * sizeof *m->entries);
    m->entries[index] = entry;
    m->count++;
    return PML_OK;
}

/* An entry followed by room for `value_bytes` of values, `text_bytes` of text and its key. Both sizes are bounded by
 * what the caller holds in memory already. */
static pml_status allocate_entry(const char *key, size_t key_bytes, pml_meta_type type, uint64_t count,
                                 size_t value_bytes, size_t text_bytes, pml_meta_entry **entry, char **text,
                                 pml_error *error) {
    pml_status status = pml_alloc(sizeof **entry + value_bytes + text_bytes + key_bytes + 1, 1, entry, error);
    if (status != PML_OK) {
        return status;
    }
    *text = (char *)(*entry + 1) + value_bytes;
    memcpy(*text + text_bytes, key, key_bytes);
    (*entry)->key = *text + text_bytes;
    (*entry)->type = type;
    (*entry)->count = count;
    return PML_OK;
}

pml_status pml_meta_make_numbers(const char *key, size_t key_bytes, pml_meta_type type, const void *values,
                                 size_t count, pml_meta_entry **entry, pml_error *error) {
    char *text;
    pml_status status =
        allocate_entry(key, key_bytes, type, count, pml_meta_is_array(type) ? count * 8 : 0, 0, entry, &text, error);
    if (status != PML_OK) {
        return status;
    }
    uint64_t bits = 0;
    if (pml_meta_is_array(type)) {
        if (count > 0) {
            memcpy(*entry + 1, values, count * 8);
        }
        if (type == PML_META_I64_ARRAY) {
            (*entry)->value.i64s = (const int64_t *)(const void *)(*entry + 1);
        } else {
            (*entry)->value.f64s = (const double *)(const void *)(*entry + 1);
        }
        return PML_OK;
    }
    memcpy(&bits, values, 8);
    if (type == PML_META_BOOL) {
        (*entry)->value.boolean = bits != 0;
    } else if (type == PML_META_I64) {
        memcpy(&(*entry)->value.i64, &bits, 8);
    } else {
        memcpy(&(*entry)->value.f64, &bits, 8);
    }
    return PML_OK;
}

pml_status pml_meta_begin_strings(const char *key, size_t key_bytes, pml_meta_type type, size_t count,
                                  size_t text_bytes, pml_meta_entry **entry, const char ***pointers, char **text,
                                  pml_error *error) {
    pml_status status =
        allocate_entry(key, key_bytes, type, count, count * sizeof(char *), text_bytes, entry, text, error);
    if (status == PML_OK) {
        *pointers = (const char **)(void *)(*entry + 1);
        if (type == PML_META_STRING) {
            (*entry)->value.string = *text;
        } else {
            (*entry)->value.strings = *pointers;
        }
    }
    return status;
}

static pml_status check_key(const char *key, pml_error *error) {
    size_t key_bytes = strnlen(key, PML_MAX_NAME_BYTES + 1);
    if (key_bytes == 0 || key_bytes > PML_MAX_NAME_BYTES || !pml_text_is_valid(key, key_bytes, true)) {
        return PML_FAIL(error, PML_E_ARGUMENT,
                        "a metadata key must have 1 to %u bytes of UTF-8 without control characters",
                        PML_MAX_NAME_BYTES);
    }
    return PML_OK;
}

static pml_status set_numbers(pml_metadata *m, const char *key, pml_meta_type type, const void *values, size_t count,
                              pml_error *error) {
    pml_status status = check_key(key, error);
    if (status != PML_OK) {
        return status;
    }
    if (count > PML_MAX_METADATA_BYTES / 8) {
        return PML_FAIL(error, PML_E_ARGUMENT, "metadata '%s': %zu values are too many", key, count);
    }
    pml_meta_entry *entry;
    status = pml_meta_make_numbers(key, strlen(key), type, values, count, &entry, error);
    return status == PML_OK ? pml_meta_put(m, entry, error) : status;
}

static pml_status set_texts(pml_metadata *m, const char *key, pml_meta_type type, const char *const *values,
                            size_t count, pml_error *error) {
    pml_status status = check_key(key, error);
    if (status != PML_OK) {
        return status;
    }
    if (count > PML_MAX_METADATA_BYTES / 16) {
        return PML_FAIL(error, PML_E_ARGUMENT, "metadata '%s': %zu strings are too many", key, count);
    }
    size_t text_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        size_t length = strnlen(values[i], PML_MAX_METADATA_BYTES + 1);
        text_bytes += length + 1;
        if (text_bytes > PML_MAX_METADATA_BYTES) {
            return PML_FAIL(error, PML_E_ARGUMENT, "metadata '%s': more than %u bytes of text", key,
                            PML_MAX_METADATA_BYTES);
        }
        if (!pml_text_is_valid(values[i], length, false)) {
            return PML_FAIL(error, PML_E_ARGUMENT, "metadata '%s': string %zu is not valid UTF-8", key, i);
        }
    }
    pml_meta_entry *entry;
    const char **pointers;
    char *text;
    status = pml_meta_begin_strings(key, strlen(key), type, count, text_bytes, &entry, &pointers, &text, error);
    if (status != PML_OK) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(values[i]);
        memcpy(text, values[i], length);
        pointers[i] = text;
        text += length + 1;
    }
    return pml_meta_put(m, entry, error);
}

pml_status pml_metadata_set_bool(pml_metadata *m, const char *key, bool value, pml_error *error) {
    uint64_t bits = value;
    return set_numbers(m, key, PML_META_BOOL, &bits, 1, error);
}

pml_status pml_metadata_set_i64(pml_metadata *m, const char *key, int64_t value, pml_error *error) {
    return set_numbers(m, key, PML_META_I64, &value, 1, error);
}

pml_status pml_metadata_set_f64(pml_metadata *m, const char *key, double value, pml_error *error) {
    return set_numbers(m, key, PML_META_F64, &value, 1, error);
}

pml_status pml_metadata_set_string(pml_metadata *m, const char *key, const char *value, pml_error *error) {
    return set_texts(m, key, PML_META_STRING, &value, 1, error);
}

pml_status pml_metadata_set_i64s(pml_metadata *m, const char *key, const int64_t *values, size_t count,
                                 pml_error *error) {
    return set_numbers(m, key, PML_META_I64_ARRAY, values, count, error);
}

pml_status pml_metadata_set_f64s(pml_metadata *m, const char *key, const double *values, size_t count,
                                 pml_error *error) {
    return set_numbers(m, key, PML_META_F64_ARRAY, values, count, error);
}

pml_status pml_metadata_set_strings(pml_metadata *m, const char *key, const char *const *values, size_t count,
                                    pml_error *error) {
    return set_texts(m, key, PML_META_STRING_ARRAY, values, count, error);
}

pml_status pml_metadata_set_entry(pml_metadata *m, const pml_meta_entry *entry, pml_error *error) {
    size_t count = (size_t)entry->count;
    switch (entry->type) {
    case PML_META_BOOL:
        return pml_metadata_set_bool(m, entry->key, entry->value.boolean, error);
    case PML_META_I64:
        return pml_metadata_set_i64(m, entry->key, entry->value.i64, error);
    case PML_META_F64:
        return pml_metadata_set_f64(m, entry->key, entry->value.f64, error);
    case PML_META_STRING:
        return pml_metadata_set_string(m, entry->key, entry->value.string, error);
    case PML_META_I64_ARRAY:
        return pml_metadata_set_i64s(m, entry->key, entry->value.i64s, count, error);
    case PML_META_F64_ARRAY:
        return pml_metadata_set_f64s(m, entry->key, entry->value.f64s, count, error);
    case PML_META_STRING_ARRAY:
        return pml_metadata_set_strings(m, entry->key, entry->value.strings, count, error);
    }
    return PML_FAIL(error, PML_E_ARGUMENT, "metadata type %u is unknown", (unsigned)entry->type);
}

void pml_metadata_remove(pml_metadata *m, const char *key) {
    bool found;
    size_t index = locate(m, key, &found);
    if (found) {
        pml_free(m->entries[index]);
        m->count--;
        memmove(m->entries + index, m->entries + index + 1, (m->count - index) * sizeof *m->entries);
    }
}

size_t pml_metadata_count(const pml_metadata *m) {
    return m->count;
}

const pml_meta_entry *pml_metadata_at(const pml_metadata *m, size_t i_entry) {
    return i_entry < m->count ? m->entries[i_entry] : NULL;
}

const pml_meta_entry *pml_metadata_find(const pml_metadata *m, const char *key) {
    bool found;
    size_t index = locate(m, key, &found);
    return found ? m->entries[index] : NULL;
}

static pml_status find_typed(const pml_metadata *m, const char *key, pml_meta_type type, const pml_meta_entry **entry,
                             pml_error *error) {
    *entry = pml_metadata_find(m, key);
    if (*entry == NULL) {
        return PML_FAIL(error, PML_E_NOT_FOUND, "metadata '%s' is missing", key);
    }
    bool fits = (*entry)->type == type || (type == PML_META_F64 && (*entry)->type == PML_META_I64);
    return fits ? PML_OK
                : PML_FAIL(error, PML_E_FORMAT, "metadata '%s' is of type %s, not %s", key, type_name((*entry)->type),
                           type_name(type));
}

pml_status pml_metadata_get_bool(const pml_metadata *m, const char *key, bool *value, pml_error *error) {
    const pml_meta_entry *entry;
    pml_status status = find_typed(m, key, PML_META_BOOL, &entry, error);
    if (status == PML_OK) {
        *value = entry->value.boolean;
    }
    return status;
}

pml_status pml_metadata_get_i64(const pml_metadata *m, const char *key, int64_t *value, pml_error *error) {
    const pml_meta_entry *entry;
    pml_status status = find_typed(m, key, PML_META_I64, &entry, error);
    if (status == PML_OK) {
        *value = entry->value.i64;
    }
    return status;
}

pml_status pml_metadata_get_f64(const pml_metadata *m, const char *key, double *value, pml_error *error) {
    const pml_meta_entry *entry;
    pml_status status = find_typed(m, key, PML_META_F64, &entry, error);
    if (status == PML_OK) {
        *value = entry->type == PML_META_I64 ? (double)entry->value.i64 : entry->value.f64;
    }
    return status;
}

pml_status pml_metadata_get_string(const pml_metadata *m, const char *key, const char **value, pml_error *error) {
    const pml_meta_entry *entry;
    pml_status status = find_typed(m, key, PML_META_STRING, &entry, error);
    if (status == PML_OK) {
        *value = entry->value.string;
    }
    return status;
}
