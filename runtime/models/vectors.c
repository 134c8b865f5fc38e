/* Recorded vectors: the blob form, and reading values of any dtype. */
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/bytes.h"
#include "runtime/base/checked.h"
#include "runtime/models/model.h"
#include "runtime/models/selftest.h"
#include "runtime/models/selftest_mode.h"

#define MAGIC "PMST"
#define VERSION 1u
#define HEADER_BYTES 16u
#define ENTRY_BYTES 16u
#define SMALLEST_ENTRY_BYTES (ENTRY_BYTES + 8u)
#define ALIGNMENT_BYTES 8u

static bool vector_bytes(const pml_vector *vector, uint64_t *size_bytes) {
    uint64_t count;
    return vector->rank <= PML_MAX_RANK && pml_dtype_is_number(vector->dtype) &&
           pml_ck_product(vector->shape, vector->rank, &count) &&
           pml_ck_mul(count, pml_dtype_bits(vector->dtype) / 8u, size_bytes);
}

/* True for in.<port>, out.<port> and out64.<port> of ports that the configured model has, and of modes. */
static bool is_kept(const pml_model *model, const char *name) {
    static const struct {
        const char *prefix;
        bool is_input;
    } kinds[] = {{"in.", true}, {"out.", false}, {"out64.", false}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length = strlen(kinds[i].prefix);
        if (strncmp(name, kinds[i].prefix, length) == 0) {
            const char *port = name + length;
            return kinds[i].is_input ? pml_model_find_input(model, port) != NULL
                                     : pml_model_find_output(model, port) != NULL ||
                                           pml_selftest_mode_of(model, port) != PML_SELFTEST_PORT;
        }
    }
    return false;
}

static uint64_t padded(uint64_t size_bytes) { /* of sizes already known to be far from overflow */
    return (size_bytes + ALIGNMENT_BYTES - 1) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
}

pml_status pml_selftest_encode(const pml_model *model, const pml_vector *vectors, size_t n_vectors, uint8_t **bytes,
                               size_t *size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    uint8_t *blob = NULL;
    uint64_t total = HEADER_BYTES, kept = 0;
    for (size_t i = 0; i < n_vectors; i++) {
        const pml_vector *vector = &vectors[i];
        if (!is_kept(model, vector->name)) {
            continue;
        }
        uint64_t data_bytes = 0, step = 0;
        if (!vector_bytes(vector, &data_bytes) || strlen(vector->name) > PML_MAX_NAME_BYTES) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT,
                             "self-test vector '%s' has a name, dtype or shape that cannot be stored", vector->name));
        }
        if (!pml_ck_pad(data_bytes, ALIGNMENT_BYTES, &step) ||
            !pml_ck_add(step, ENTRY_BYTES + 8u * vector->rank + padded(strlen(vector->name) + 1), &step) ||
            !pml_ck_add(total, step, &total) || total > SIZE_MAX / 2) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the self-test vectors are too large"));
        }
        kept++;
    }
    PML_TRY(pml_alloc((size_t)total, 1, &blob, error));
    uint8_t *at = blob;
    memcpy(at, MAGIC, 4);
    pml_store_u32(at + 4, VERSION);
    pml_store_u64(at + 8, kept);
    at += HEADER_BYTES;
    for (size_t i = 0; i < n_vectors; i++) {
        const pml_vector *vector = &vectors[i];
        uint64_t data_bytes;
        if (!is_kept(model, vector->name) || !vector_bytes(vector, &data_bytes)) {
            continue;
        }
        size_t name_bytes = strlen(vector->name) + 1;
        pml_store_u32(at, (uint32_t)name_bytes);
        pml_store_u32(at + 4, (uint32_t)vector->dtype);
        pml_store_u32(at + 8, vector->rank);
        at += ENTRY_BYTES;
        for (unsigned axis = 0; axis < vector->rank; axis++, at += 8) {
            pml_store_u64(at, vector->shape[axis]);
        }
        memcpy(at, vector->name, name_bytes);
        at += padded(name_bytes);
        if (data_bytes > 0) {
            memcpy(at, vector->bytes, (size_t)data_bytes);
        }
        at += padded(data_bytes);
    }
    *bytes = blob;
    *size_bytes = (size_t)total;
    blob = NULL;

done:
    pml_free(blob);
    return status;
}

static bool is_zero(const uint8_t *bytes, uint64_t begin, uint64_t end) {
    return pml_zero_prefix(bytes + begin, (size_t)(end - begin)) == end - begin;
}

/* Reads the vector at *position and moves past it. */
static pml_status decode_vector(const uint8_t *bytes, size_t size_bytes, const char *file_name, uint64_t *position,
                                pml_vector *vector, pml_error *error) {
    uint64_t at = *position;
    if (!pml_ck_range(at, ENTRY_BYTES, size_bytes)) {
        return PML_FAIL_AT(error, PML_E_FORMAT, at, "%s: self-test blob: a vector's header is cut off", file_name);
    }
    uint32_t name_bytes = pml_load_u32(bytes + at), dtype = pml_load_u32(bytes + at + 4),
             rank = pml_load_u32(bytes + at + 8);
    if (name_bytes < 2 || name_bytes > PML_MAX_NAME_BYTES + 1 || rank > PML_MAX_RANK ||
        !pml_dtype_is_number((pml_dtype)dtype) || pml_load_u32(bytes + at + 12) != 0) {
        return PML_FAIL_AT(error, PML_E_FORMAT, at,
                           "%s: self-test blob: impossible vector header (name of %u bytes, dtype %u, rank %u)",
                           file_name, name_bytes, dtype, rank);
    }
    at += ENTRY_BYTES;
    *vector = (pml_vector){.dtype = (pml_dtype)dtype, .rank = rank};
    uint64_t head_bytes = 8u * (uint64_t)rank + padded(name_bytes);
    if (!pml_ck_range(at, head_bytes, size_bytes)) {
        return PML_FAIL_AT(error, PML_E_FORMAT, at, "%s: self-test blob: a vector's shape or name is cut off",
                           file_name);
    }
    for (uint32_t axis = 0; axis < rank; axis++, at += 8) {
        vector->shape[axis] = pml_load_u64(bytes + at);
    }
    if (memchr(bytes + at, 0, name_bytes) != bytes + at + name_bytes - 1 ||
        !is_zero(bytes, at + name_bytes, at + padded(name_bytes))) {
        return PML_FAIL_AT(error, PML_E_FORMAT, at, "%s: self-test blob: a name is not terminated by zeros", file_name);
    }
    vector->name = (const char *)bytes + at;
    at += padded(name_bytes);
    uint64_t data_bytes = 0, stored_bytes = 0;
    if (!vector_bytes(vector, &data_bytes) || !pml_ck_pad(data_bytes, ALIGNMENT_BYTES, &stored_bytes) ||
        !pml_ck_range(at, stored_bytes, size_bytes)) {
        return PML_FAIL_AT(error, PML_E_FORMAT, at, "%s: self-test blob: the data of '%s' reaches beyond the end",
                           file_name, vector->name);
    }
    if (!is_zero(bytes, at + data_bytes, at + stored_bytes)) {
        return PML_FAIL_AT(error, PML_E_FORMAT, at, "%s: self-test blob: padding after '%s' is not zero", file_name,
                           vector->name);
    }
    vector->bytes = bytes + at;
    *position = at + stored_bytes;
    return PML_OK;
}

pml_status pml_selftest_decode(const uint8_t *bytes, size_t size_bytes, const char *file_name, pml_vector **vectors,
                               size_t *n_vectors, pml_error *error) {
    pml_status status = PML_OK;
    pml_vector *items = NULL;
    if (size_bytes < HEADER_BYTES || memcmp(bytes, MAGIC, 4) != 0) {
        PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, 0, "%s: not a self-test blob", file_name));
    }
    if (pml_load_u32(bytes + 4) != VERSION) {
        PML_TRY(PML_FAIL_AT(error, PML_E_UNSUPPORTED, 4, "%s: self-test blob of version %u; this build reads %u",
                            file_name, pml_load_u32(bytes + 4), VERSION));
    }
    uint64_t count = pml_load_u64(bytes + 8);
    if (count > (size_bytes - HEADER_BYTES) / SMALLEST_ENTRY_BYTES) {
        PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, 8, "%s: self-test blob: %llu vectors cannot lie in %zu bytes",
                            file_name, (unsigned long long)count, size_bytes));
    }
    PML_TRY(pml_alloc((size_t)count, sizeof *items, &items, error));
    uint64_t position = HEADER_BYTES;
    for (uint64_t i = 0; i < count; i++) {
        PML_TRY(decode_vector(bytes, size_bytes, file_name, &position, &items[i], error));
    }
    if (position != size_bytes) {
        PML_TRY(
            PML_FAIL_AT(error, PML_E_FORMAT, position, "%s: self-test blob: bytes after the last vector", file_name));
    }
    *vectors = items;
    *n_vectors = (size_t)count;
    items = NULL;

done:
    pml_free(items);
    return status;
}
