/* The byte form of metadata: specs/pml-format.md, section 4. */
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "runtime/file/metadata_entry.h"
#include "runtime/file/record.h"

#define SECTION_HEAD_BYTES 8u
#define ENTRY_HEAD_BYTES 16u
#define PROVENANCE "provenance."

static size_t padded8(size_t size_bytes) {
    return (size_bytes + 7) & ~(size_t)7;
}

/* Bytes of a stored text: its length, itself, a zero, padding. Lengths are capped by the setters. */
static size_t stored_text_bytes(const char *text) {
    return 8 + padded8(strlen(text) + 1);
}

static const char *const *texts_of(const pml_meta_entry *entry) {
    return entry->type == PML_META_STRING ? &entry->value.string : entry->value.strings;
}

static uint64_t stored_entry_bytes(const pml_meta_entry *entry) {
    uint64_t total = ENTRY_HEAD_BYTES + padded8(strlen(entry->key) + 1);
    if (!pml_meta_is_text(entry->type)) {
        return total + entry->count * 8;
    }
    for (size_t i = 0; i < entry->count; i++) {
        total += stored_text_bytes(texts_of(entry)[i]);
    }
    return total;
}

static uint8_t *store_text(uint8_t *out, const char *text) {
    size_t length = strlen(text);
    pml_store_u64(out, length);
    memcpy(out + 8, text, length);
    return out + stored_text_bytes(text);
}

/* `out` is zeroed; returns the byte after the entry. */
static uint8_t *store_entry(uint8_t *out, const pml_meta_entry *entry) {
    size_t key_bytes = strlen(entry->key);
    pml_store_u32(out, (uint32_t)key_bytes);
    pml_store_u32(out + 4, (uint32_t)entry->type);
    pml_store_u64(out + 8, entry->count);
    memcpy(out + ENTRY_HEAD_BYTES, entry->key, key_bytes);
    out += ENTRY_HEAD_BYTES + padded8(key_bytes + 1);
    if (pml_meta_is_text(entry->type)) {
        for (size_t i = 0; i < entry->count; i++) {
            out = store_text(out, texts_of(entry)[i]);
        }
        return out;
    }
    uint64_t boolean = entry->type == PML_META_BOOL && entry->value.boolean;
    const void *values = entry->type == PML_META_BOOL        ? (const void *)&boolean
                         : entry->type == PML_META_I64       ? (const void *)&entry->value.i64
                         : entry->type == PML_META_F64       ? (const void *)&entry->value.f64
                         : entry->type == PML_META_I64_ARRAY ? (const void *)entry->value.i64s
                                                             : (const void *)entry->value.f64s;
    if (entry->count > 0) {
        memcpy(out, values, (size_t)entry->count * 8);
    }
    return out + entry->count * 8;
}

static bool is_provenance(const char *key) {
    return strncmp(key, PROVENANCE, sizeof PROVENANCE - 1) == 0;
}

pml_status pml_metadata_encode(const pml_metadata *m, bool with_provenance, uint8_t **bytes, size_t *size_bytes,
                               pml_error *error) {
    uint64_t total = SECTION_HEAD_BYTES;
    uint32_t count = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (with_provenance || !is_provenance(m->entries[i]->key)) {
            total += stored_entry_bytes(m->entries[i]);
            count++;
        }
    }
    if (total > PML_MAX_METADATA_BYTES) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%llu bytes of metadata are more than %u", (unsigned long long)total,
                        PML_MAX_METADATA_BYTES);
    }
    pml_status status = pml_alloc((size_t)total, 1, bytes, error);
    if (status != PML_OK) {
        return status;
    }
    uint8_t *out = *bytes + SECTION_HEAD_BYTES;
    pml_store_u32(*bytes, count);
    for (size_t i = 0; i < m->count; i++) {
        if (with_provenance || !is_provenance(m->entries[i]->key)) {
            out = store_entry(out, m->entries[i]);
        }
    }
    *size_bytes = (size_t)total;
    return PML_OK;
}

typedef struct cursor {
    const uint8_t *bytes;
    size_t size_bytes;
    size_t position; /* a multiple of 8 between items */
    uint64_t base_offset;
    const char *file_name;
    size_t i_entry;
} cursor;

static pml_status bad(const cursor *at, pml_error *error, const char *cause) {
    return PML_FAIL_AT(error, PML_E_FORMAT, at->base_offset + at->position, "%s: metadata entry %zu at byte %llu: %s",
                       at->file_name, at->i_entry, (unsigned long long)(at->base_offset + at->position), cause);
}

static size_t left(const cursor *at) {
    return at->size_bytes - at->position;
}

/* Steps over `length` bytes of text with its zero and padding, which must be zero. */
static pml_status take_text(cursor *at, uint64_t length, bool printable, const char **text, pml_error *error) {
    if (length >= left(at) || padded8((size_t)length + 1) > left(at)) {
        return bad(at, error, "text runs past the end of the section");
    }
    const uint8_t *bytes = at->bytes + at->position;
    size_t padded_bytes = padded8((size_t)length + 1);
    if (!pml_text_is_valid((const char *)bytes, (size_t)length, printable)) {
        return bad(at, error, "text is not valid UTF-8, or has a character that is not allowed");
    }
    if (pml_zero_prefix(bytes + length, padded_bytes - (size_t)length) != padded_bytes - length) {
        return bad(at, error, "padding after text is not zero");
    }
    *text = (const char *)bytes;
    at->position += padded_bytes;
    return PML_OK;
}

static pml_status take_stored_text(cursor *at, const char **text, pml_error *error) {
    if (left(at) < 8) {
        return bad(at, error, "the section ends within a text");
    }
    uint64_t length = pml_load_u64(at->bytes + at->position);
    at->position += 8;
    return take_text(at, length, false, text, error);
}

/* Reads the texts twice: to check and measure them, then to copy them. */
static pml_status take_texts(cursor *at, const char *key, pml_meta_type type, size_t count, pml_meta_entry **entry,
                             pml_error *error) {
    if (count > left(at) / 16) {
        return bad(at, error, "more strings than the section can hold");
    }
    size_t start = at->position, text_bytes = 0;
    const char *text;
    for (size_t i = 0; i < count; i++) {
        pml_status status = take_stored_text(at, &text, error);
        if (status != PML_OK) {
            return status;
        }
        text_bytes += strlen(text) + 1;
    }
    const char **pointers;
    char *copy;
    pml_status status =
        pml_meta_begin_strings(key, strlen(key), type, count, text_bytes, entry, &pointers, &copy, error);
    if (status != PML_OK) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        size_t length = (size_t)pml_load_u64(at->bytes + start);
        memcpy(copy, at->bytes + start + 8, length);
        pointers[i] = copy;
        copy += length + 1;
        start += 8 + padded8(length + 1);
    }
    return PML_OK;
}

static pml_status take_numbers(cursor *at, const char *key, pml_meta_type type, size_t count, pml_meta_entry **entry,
                               pml_error *error) {
    if (count > left(at) / 8) {
        return bad(at, error, "more values than the section can hold");
    }
    const uint8_t *values = at->bytes + at->position;
    if (type == PML_META_BOOL && pml_load_u64(values) > 1) {
        return bad(at, error, "a bool is neither 0 nor 1");
    }
    pml_status status = pml_meta_make_numbers(key, strlen(key), type, values, count, entry, error);
    if (status == PML_OK) {
        at->position += count * 8;
    }
    return status;
}

static pml_status take_entry(cursor *at, const char **previous_key, pml_meta_entry **entry, pml_error *error) {
    if (left(at) < ENTRY_HEAD_BYTES) {
        return bad(at, error, "the section ends within an entry");
    }
    uint32_t key_bytes = pml_load_u32(at->bytes + at->position);
    uint32_t type = pml_load_u32(at->bytes + at->position + 4);
    uint64_t count = pml_load_u64(at->bytes + at->position + 8);
    if (key_bytes == 0 || key_bytes > PML_MAX_NAME_BYTES) {
        return bad(at, error, "the key is empty or longer than 1024 bytes");
    }
    if (type == 0) {
        return bad(at, error, "type 0 is not a type");
    }
    if (type > PML_META_STRING_ARRAY) {
        return PML_FAIL_AT(error, PML_E_UNSUPPORTED, at->base_offset + at->position + 4,
                           "%s: metadata entry %zu at byte %llu has type %u, which this version does not know",
                           at->file_name, at->i_entry, (unsigned long long)(at->base_offset + at->position), type);
    }
    if (!pml_meta_is_array(type) && count != 1) {
        return bad(at, error, "a scalar has a count other than 1");
    }
    if (count > at->size_bytes) {
        return bad(at, error, "more values than the section can hold");
    }
    at->position += ENTRY_HEAD_BYTES;
    const char *key;
    pml_status status = take_text(at, key_bytes, true, &key, error);
    if (status != PML_OK) {
        return status;
    }
    if (*previous_key != NULL && strcmp(*previous_key, key) >= 0) {
        return bad(at, error, strcmp(*previous_key, key) == 0 ? "the key is a duplicate" : "keys are not in order");
    }
    *previous_key = key;
    return pml_meta_is_text(type) ? take_texts(at, key, (pml_meta_type)type, (size_t)count, entry, error)
                                  : take_numbers(at, key, (pml_meta_type)type, (size_t)count, entry, error);
}

pml_status pml_metadata_decode(const uint8_t *bytes, size_t size_bytes, uint64_t base_offset, const char *file_name,
                               pml_metadata **metadata, pml_error *error) {
    pml_status status;
    pml_metadata *decoded = NULL;
    cursor at = {bytes, size_bytes, 0, base_offset, file_name, 0};
    if (size_bytes < SECTION_HEAD_BYTES || size_bytes % 8 != 0 || size_bytes > PML_MAX_METADATA_BYTES) {
        PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, base_offset,
                            "%s: metadata of %zu bytes: must be a multiple of 8 "
                            "from 8 to %u",
                            file_name, size_bytes, PML_MAX_METADATA_BYTES));
    }
    uint32_t count = pml_load_u32(bytes);
    if (count > PML_MAX_METADATA_KEYS || pml_load_u32(bytes + 4) != 0) {
        PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, base_offset,
                            "%s: metadata with %u entries: at most %u, and the "
                            "field after the count must be 0",
                            file_name, count, PML_MAX_METADATA_KEYS));
    }
    at.position = SECTION_HEAD_BYTES;
    PML_TRY(pml_metadata_create(&decoded, error));
    const char *previous_key = NULL;
    for (; at.i_entry < count; at.i_entry++) {
        pml_meta_entry *entry;
        PML_TRY(take_entry(&at, &previous_key, &entry, error));
        PML_TRY(pml_meta_put(decoded, entry, error));
    }
    if (left(&at) != 0) {
        PML_TRY(bad(&at, error, "bytes follow the last entry"));
    }
    *metadata = decoded;
    decoded = NULL;
    status = PML_OK;
done:
    pml_metadata_destroy(decoded);
    return status;
}
