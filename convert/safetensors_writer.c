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

struct pml_safetensors_sink {
    pml_publish *publish;
    uint64_t offset_bytes, left_bytes; /* of the tensor that is written */
};

pml_status pml_safetensors_put(pml_safetensors_sink *sink, const void *bytes, size_t size_bytes, pml_error *error) {
    if (size_bytes > sink->left_bytes) {
        return PML_FAIL(error, PML_E_ARGUMENT, "more bytes than the tensor has");
    }
    const pml_status status =
        size_bytes > 0 ? pml_publish_write(sink->publish, sink->offset_bytes, bytes, size_bytes, error) : PML_OK;
    sink->offset_bytes += size_bytes;
    sink->left_bytes -= size_bytes;
    return status;
}

static int compare_tensors(const void *a, const void *b) {
    const pml_safetensors_tensor *const *left = a, *const *right = b;
    const unsigned x = pml_dtype_bits((*left)->dtype), y = pml_dtype_bits((*right)->dtype);
    return x != y ? (x > y ? -1 : 1) : strcmp((*left)->name, (*right)->name);
}

static pml_status check_tensor(const pml_safetensors_tensor *tensor, uint64_t *size_bytes, pml_error *error) {
    if (tensor->name == NULL || tensor->name[0] == '\0' || strcmp(tensor->name, "__metadata__") == 0 ||
        strlen(tensor->name) > PML_MAX_NAME_BYTES) {
        return PML_FAIL(error, PML_E_ARGUMENT, "a tensor needs a name of 1 to %u bytes other than __metadata__",
                        PML_MAX_NAME_BYTES);
    }
    for (const char *c = tensor->name; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20) {
            return PML_FAIL(error, PML_E_ARGUMENT, "a tensor name has a control character (byte 0x%02X)",
                            (unsigned)(unsigned char)*c);
        }
    }
    uint64_t count = 0;
    const unsigned bits = pml_dtype_bits(tensor->dtype);
    if (tensor->rank > PML_MAX_RANK || bits == 0 || bits % 8 != 0) {
        return PML_FAIL(error, PML_E_ARGUMENT,
                        "tensor %s: rank %u and dtype %s, at most %u and whole bytes are possible", tensor->name,
                        tensor->rank, pml_dtype_name(tensor->dtype), PML_MAX_RANK);
    }
    if (!pml_ck_product(tensor->shape, tensor->rank, &count) || !pml_ck_mul(count, bits / 8, size_bytes)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "tensor %s: its size overflows", tensor->name);
    }
    return PML_OK;
}

static pml_status append_tensor(text *header, const pml_safetensors_tensor *tensor, uint64_t offset, uint64_t end,
                                pml_error *error) {
    pml_status status = PML_OK;
    static const char dtype[] = ":{\"dtype\":\"", shape[] = "\",\"shape\":[", offsets[] = "],\"data_offsets\":[";
    const char *name = pml_dtype_name(tensor->dtype);
    PML_TRY(append_name(header, tensor->name, error));
    PML_TRY(append(header, dtype, sizeof dtype - 1, error));
    PML_TRY(append(header, name, strlen(name), error));
    PML_TRY(append(header, shape, sizeof shape - 1, error));
    for (unsigned k = 0; k < tensor->rank; k++) {
        PML_TRY(append_number(header, k == 0 ? "" : ",", tensor->shape[k], error));
    }
    PML_TRY(append(header, offsets, sizeof offsets - 1, error));
    PML_TRY(append_number(header, "", offset, error));
    PML_TRY(append_number(header, ",", end, error));
    PML_TRY(append(header, "]}", 2, error));
done:
    return status;
}

/* Builds length field and JSON text, padded; *total_bytes is the size of all data. */
static pml_status build_header(const pml_safetensors_tensor *const *sorted, const pml_safetensors_job *job,
                               text *header, uint64_t *total_bytes, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t offset = 0;
    static const char room[HEADER_LENGTH_BYTES], metadata[] = "\"__metadata__\":{\"format\":";
    PML_TRY(append(header, room, sizeof room, error));
    PML_TRY(append(header, "{", 1, error));
    if (job->format != NULL) {
        PML_TRY(append(header, metadata, sizeof metadata - 1, error));
        PML_TRY(append_name(header, job->format, error));
        PML_TRY(append(header, "},", job->n_tensors > 0 ? 2 : 1, error));
    }
    for (size_t i = 0; i < job->n_tensors; i++) {
        uint64_t size = 0, end = 0;
        PML_TRY(check_tensor(sorted[i], &size, error));
        if (i > 0 && strcmp(sorted[i - 1]->name, sorted[i]->name) == 0) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "tensor %s is given twice", sorted[i]->name));
        }
        if (!pml_ck_add(offset, size, &end)) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "tensor %s: the file's size overflows", sorted[i]->name));
        }
        PML_TRY(append(header, ",", i > 0, error));
        PML_TRY(append_tensor(header, sorted[i], offset, end, error));
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

static pml_status write_tensors(const pml_safetensors_tensor *const *sorted, const pml_safetensors_job *job,
                                pml_safetensors_sink *sink, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < job->n_tensors; i++) {
        PML_TRY(check_tensor(sorted[i], &sink->left_bytes, error));
        PML_TRY(job->produce(job->user, (size_t)(sorted[i] - job->tensors), sink, error));
        if (sink->left_bytes > 0) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "tensor %s: %" PRIu64 " bytes are missing", sorted[i]->name,
                             sink->left_bytes));
        }
    }
done:
    return status;
}

pml_status pml_safetensors_stream(const char *path, const pml_safetensors_job *job, bool replace, pml_error *error) {
    pml_status status = PML_OK;
    text header = {0};
    pml_safetensors_sink sink = {0};
    const pml_safetensors_tensor **sorted = NULL;
    uint64_t data_bytes = 0, file_bytes = 0;
    PML_TRY(pml_alloc(job->n_tensors, sizeof(const pml_safetensors_tensor *), &sorted, error));
    for (size_t i = 0; i < job->n_tensors; i++) {
        uint64_t size = 0;
        sorted[i] = &job->tensors[i];
        PML_TRY(check_tensor(sorted[i], &size, error));
    }
    if (job->n_tensors > 1) {
        qsort(sorted, job->n_tensors, sizeof(const pml_safetensors_tensor *), compare_tensors);
    }
    PML_TRY(build_header(sorted, job, &header, &data_bytes, error));
    if (!pml_ck_add(header.size, data_bytes, &file_bytes)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%s: the file's size overflows", path));
    }
    PML_TRY(pml_publish_begin(path, file_bytes, replace, &sink.publish, error));
    PML_TRY(pml_publish_write(sink.publish, 0, header.bytes, header.size, error));
    sink.offset_bytes = header.size;
    PML_TRY(write_tensors(sorted, job, &sink, error));
    pml_publish *ready = sink.publish;
    sink.publish = NULL; /* commit frees it whatever happens */
    PML_TRY(pml_publish_commit(ready, error));
done:
    pml_publish_abort(sink.publish);
    pml_free(header.bytes);
    pml_free(sorted);
    return status;
}

/* ---- tensors that are there ---- */
static pml_status put_entry(void *user, size_t i_tensor, pml_safetensors_sink *sink, pml_error *error) {
    const pml_safetensors_entry *const *entries = user;
    return pml_safetensors_put(sink, (*entries)[i_tensor].data, (size_t)sink->left_bytes, error);
}

pml_status pml_safetensors_write(const char *path, const pml_safetensors_entry *entries, size_t n_entries, bool replace,
                                 pml_error *error) {
    pml_status status = PML_OK;
    pml_safetensors_tensor *tensors = NULL;
    PML_TRY(pml_alloc(n_entries, sizeof *tensors, &tensors, error));
    for (size_t i = 0; i < n_entries; i++) {
        tensors[i] = (pml_safetensors_tensor){.name = entries[i].name, .dtype = PML_DTYPE_F32, .rank = entries[i].rank};
        memcpy(tensors[i].shape, entries[i].shape, sizeof tensors[i].shape);
    }
    const pml_safetensors_job job = {
        .tensors = tensors, .n_tensors = n_entries, .produce = put_entry, .user = &entries};
    PML_TRY(pml_safetensors_stream(path, &job, replace, error));
done:
    pml_free(tensors);
    return status;
}
