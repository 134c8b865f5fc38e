/* Header first in memory, then header and data through one publish. */
#include "convert/safetensors_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/publish.h"

#define HEADER_LENGTH_BYTES 8u /* little-endian size of the JSON text that follows */

typedef struct text { /* a growing JSON text */
    char *bytes;
    size_t size, capacity;
} text;

static pml_status append(text *t, const char *bytes, size_t size, pml_error *error) {
    pml_status status =
        pml_grow(&t->bytes, &t->capacity, t->size + size, 1, PML_MAX_HEADER_BYTES, "bytes of header", error);
    if (status == PML_OK) {
        memcpy(t->bytes + t->size, bytes, size);
        t->size += size;
    }
    return status;
}

static pml_status append_number(text *t, const char *before, uint64_t number, pml_error *error) {
    char digits[48];
    int size = snprintf(digits, sizeof digits, "%s%" PRIu64, before, number);
    return append(t, digits, (size_t)size, error);
}

static pml_status append_name(text *t, const char *name, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(append(t, "\"", 1, error));
    for (const char *c = name; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            PML_TRY(append(t, "\\", 1, error));
        }
        PML_TRY(append(t, c, 1, error));
    }
    PML_TRY(append(t, "\"", 1, error));
done:
    return status;
}

static int compare_entries(const void *a, const void *b) {
    const pml_safetensors_entry *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static pml_status check_entry(const pml_safetensors_entry *entry, uint64_t *size_bytes, pml_error *error) {
    if (entry->name == NULL || entry->name[0] == '\0' || strcmp(entry->name, "__metadata__") == 0 ||
        strlen(entry->name) > PML_MAX_NAME_BYTES) {
        return PML_FAIL(error, PML_E_ARGUMENT, "a tensor needs a name of 1 to %u bytes other than __metadata__",
                        PML_MAX_NAME_BYTES);
    }
    for (const char *c = entry->name; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20) {
            return PML_FAIL(error, PML_E_ARGUMENT, "a tensor name has a control character (byte 0x%02X)",
                            (unsigned)(unsigned char)*c);
        }
    }
    uint64_t count = 0;
    if (entry->rank > PML_MAX_RANK) {
        return PML_FAIL(error, PML_E_ARGUMENT, "tensor %s: rank %u, at most %u is possible", entry->name, entry->rank,
                        PML_MAX_RANK);
    }
    if (!pml_ck_product(entry->shape, entry->rank, &count) || !pml_ck_mul(count, sizeof(float), size_bytes)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "tensor %s: its size overflows", entry->name);
    }
    return PML_OK;
}

/* Builds length field and JSON text, padded; *total_bytes is the size of all data. */
static pml_status build_header(const pml_safetensors_entry *const *sorted, size_t n_entries, text *header,
                               uint64_t *total_bytes, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t offset = 0;
    static const char room[HEADER_LENGTH_BYTES];
    PML_TRY(append(header, room, sizeof room, error));
    PML_TRY(append(header, "{", 1, error));
    for (size_t i = 0; i < n_entries; i++) {
        const pml_safetensors_entry *entry = sorted[i];
        uint64_t size = 0, end = 0;
        PML_TRY(check_entry(entry, &size, error));
        if (i > 0 && strcmp(sorted[i - 1]->name, entry->name) == 0) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "tensor %s is given twice", entry->name));
        }
        if (!pml_ck_add(offset, size, &end)) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "tensor %s: the file's size overflows", entry->name));
        }
        PML_TRY(append(header, ",", i > 0, error));
        PML_TRY(append_name(header, entry->name, error));
        static const char dtype[] = ":{\"dtype\":\"F32\",\"shape\":[", offsets[] = "],\"data_offsets\":[";
        PML_TRY(append(header, dtype, sizeof dtype - 1, error));
        for (unsigned k = 0; k < entry->rank; k++) {
            PML_TRY(append_number(header, k == 0 ? "" : ",", entry->shape[k], error));
        }
        PML_TRY(append(header, offsets, sizeof offsets - 1, error));
        PML_TRY(append_number(header, "", offset, error));
        PML_TRY(append_number(header, ",", end, error));
        PML_TRY(append(header, "]}", 2, error));
        offset = end;
    }
    PML_TRY(append(header, "}", 1, error));
    PML_TRY(append(header, "       ", (8 - header->size % 8) % 8, error));
    uint64_t length = header->size - HEADER_LENGTH_BYTES;
    for (unsigned k = 0; k < HEADER_LENGTH_BYTES; k++) {
        header->bytes[k] = (char)(unsigned char)(length >> 8 * k & 0xFF);
    }
    *total_bytes = offset;
done:
    return status;
}

pml_status pml_safetensors_write(const char *path, const pml_safetensors_entry *entries, size_t n_entries, bool replace,
                                 pml_error *error) {
    pml_status status = PML_OK;
    text header = {0};
    pml_publish *publish = NULL;
    const pml_safetensors_entry **sorted = NULL;
    uint64_t data_bytes = 0, file_bytes = 0, offset = 0;
    PML_TRY(pml_alloc(n_entries, sizeof *sorted, &sorted, error));
    for (size_t i = 0; i < n_entries; i++) {
        sorted[i] = &entries[i];
        uint64_t size = 0;
        PML_TRY(check_entry(sorted[i], &size, error));
    }
    if (n_entries > 1) {
        qsort(sorted, n_entries, sizeof(const pml_safetensors_entry *), compare_entries);
    }
    PML_TRY(build_header(sorted, n_entries, &header, &data_bytes, error));
    if (!pml_ck_add(header.size, data_bytes, &file_bytes)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%s: the file's size overflows", path));
    }
    PML_TRY(pml_publish_begin(path, file_bytes, replace, &publish, error));
    PML_TRY(pml_publish_write(publish, 0, header.bytes, header.size, error));
    offset = header.size;
    for (size_t i = 0; i < n_entries; i++) {
        uint64_t size = 0;
        PML_TRY(check_entry(sorted[i], &size, error));
        if (size > 0) {
            PML_TRY(pml_publish_write(publish, offset, sorted[i]->data, (size_t)size, error));
        }
        offset += size;
    }
    pml_publish *ready = publish;
    publish = NULL; /* commit frees it whatever happens */
    PML_TRY(pml_publish_commit(ready, error));
done:
    pml_publish_abort(publish);
    pml_free(header.bytes);
    pml_free(sorted);
    return status;
}
