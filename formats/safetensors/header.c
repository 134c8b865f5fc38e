/* Reads the header straight from the mapped bytes; strict where two readers could disagree about the same file. */
#include "formats/safetensors/header.h"

#include <stdio.h>
#include <string.h>

#include "formats/source.h"
#include "runtime/base/checked.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/names.h"
#include "runtime/base/quote.h"

enum { LENGTH_BYTES = 8, MAX_STRING_BYTES = PML_MAX_CONFIG_BYTES };
/* The greatest integer that the format's schema allows. */
#define MAX_INTEGER ((UINT64_C(1) << 48) - 1)

typedef struct header_reader {
    pml_source *source;
    size_t i_file;
    uint64_t data_start; /* 8 + N */
    pml_json_reader json;
    char name[PML_MAX_NAME_BYTES + 1]; /* of the tensor being read */
    bool has_metadata;
} header_reader;

uint64_t pml_safetensors_header_bytes(const uint8_t *bytes) {
    uint64_t value = 0;
    for (size_t i = LENGTH_BYTES; i-- > 0;) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* A FORMAT error at the current JSON token, about the current tensor. */
static pml_status entry_fail(const header_reader *reader, const char *cause, pml_error *error) {
    pml_quoted name;
    char text[sizeof name + 160];
    (void)snprintf(text, sizeof text, "tensor %s: %s", pml_quote(&name, reader->name), cause);
    return pml_json_fail(&reader->json, error, text);
}

/* The array of plain integers that comes next. All are counted in *n_values, the first `capacity` kept. */
static pml_status read_integers(header_reader *reader, const char *what, uint64_t *values, size_t capacity,
                                size_t *n_values, pml_error *error) {
    pml_status status = PML_OK;
    char cause[96];
    pml_json_reader *json = &reader->json;
    *n_values = 0;
    PML_TRY(pml_json_next(json, error));
    if (json->token != PML_JSON_ARRAY_BEGIN) {
        (void)snprintf(cause, sizeof cause, "%s must be an array", what);
        PML_TRY(entry_fail(reader, cause, error));
    }
    for (;;) {
        PML_TRY(pml_json_next(json, error));
        if (json->token == PML_JSON_ARRAY_END) {
            break;
        }
        if (json->token != PML_JSON_NUMBER || !json->is_u64 || json->u64 > MAX_INTEGER) {
            (void)snprintf(cause, sizeof cause, "%s must hold plain integers from 0 to 2^48-1", what);
            PML_TRY(entry_fail(reader, cause, error));
        }
        if (*n_values < capacity) {
            values[*n_values] = json->u64;
        }
        ++*n_values;
    }
done:
    return status;
}

static pml_status read_dtype(header_reader *reader, pml_dtype *dtype, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader *json = &reader->json;
    PML_TRY(pml_json_next(json, error));
    if (json->token != PML_JSON_STRING) {
        PML_TRY(entry_fail(reader, "dtype must be a string", error));
    }
    *dtype = pml_dtype_from_name(json->text, json->text_bytes);
    if (*dtype == PML_DTYPE_NONE) {
        pml_quoted name, spelling;
        uint64_t offset = json->base_offset + json->token_offset;
        PML_TRY(PML_FAIL_AT(error, PML_E_UNSUPPORTED, offset, "%s: byte %llu: tensor %s: the dtype %s is unknown",
                            json->file_name, (unsigned long long)offset, pml_quote(&name, reader->name),
                            pml_quote(&spelling, json->text)));
    }
done:
    return status;
}

/* The begin and end of the data, from `data_offsets` to a byte range of the file. */
static pml_status read_offsets(header_reader *reader, pml_source_tensor *tensor, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t offsets[2];
    size_t n_offsets;
    PML_TRY(read_integers(reader, "data_offsets", offsets, 2, &n_offsets, error));
    if (n_offsets != 2) {
        PML_TRY(entry_fail(reader, "data_offsets must hold two integers", error));
    }
    if (offsets[0] > offsets[1]) {
        PML_TRY(entry_fail(reader, "its data ends before it begins", error));
    }
    if (!pml_ck_add(reader->data_start, offsets[0], &tensor->offset_bytes)) {
        PML_TRY(entry_fail(reader, "its data_offsets overflow", error));
    }
    tensor->size_bytes = offsets[1] - offsets[0];
done:
    return status;
}

/* The object behind the tensor's name. As the format's own reader does, keys that it does not know are skipped. */
static pml_status read_entry(header_reader *reader, pml_source_tensor *tensor, pml_error *error) {
    static const char *const keys[] = {"dtype", "shape", "data_offsets"};
    pml_status status = PML_OK;
    pml_json_reader *json = &reader->json;
    bool has[3] = {false, false, false};
    size_t n_dimensions = 0;
    PML_TRY(pml_json_next(json, error));
    if (json->token != PML_JSON_OBJECT_BEGIN) {
        PML_TRY(entry_fail(reader, "must be described by an object", error));
    }
    for (;;) {
        PML_TRY(pml_json_next(json, error));
        if (json->token == PML_JSON_OBJECT_END) {
            break;
        }
        size_t i_key = 0;
        while (i_key < 3 && strcmp(json->text, keys[i_key]) != 0) {
            i_key++;
        }
        if (i_key == 3) {
            PML_TRY(pml_json_skip(json, error));
            continue;
        }
        if (has[i_key]) {
            PML_TRY(entry_fail(reader, "a key of its description stands twice", error));
        }
        has[i_key] = true;
        if (i_key == 0) {
            PML_TRY(read_dtype(reader, &tensor->dtype, error));
        } else if (i_key == 1) {
            PML_TRY(read_integers(reader, "shape", tensor->shape, PML_MAX_RANK, &n_dimensions, error));
        } else {
            PML_TRY(read_offsets(reader, tensor, error));
        }
    }
    for (size_t i = 0; i < 3; i++) {
        char cause[64];
        if (!has[i]) {
            (void)snprintf(cause, sizeof cause, "its %s is missing", keys[i]);
            PML_TRY(entry_fail(reader, cause, error));
        }
    }
    tensor->rank = (unsigned)n_dimensions;
done:
    return status;
}

/* `__metadata__`: text by key. */
static pml_status read_metadata(header_reader *reader, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader *json = &reader->json;
    pml_names keys = {0};
    size_t i_key;
    bool is_new;
    if (reader->has_metadata) {
        PML_TRY(pml_json_fail(json, error, "__metadata__ stands twice"));
    }
    reader->has_metadata = true;
    PML_TRY(pml_json_expect(json, PML_JSON_OBJECT_BEGIN, "an object as __metadata__", error));
    for (;;) {
        PML_TRY(pml_json_next(json, error));
        if (json->token == PML_JSON_OBJECT_END) {
            break;
        }
        status = pml_names_add(&keys, json->text, json->text_bytes, PML_MAX_METADATA_KEYS, "metadata entries", &i_key,
                               &is_new, error);
        PML_TRY(pml_json_locate(json, status, error));
        if (!is_new) {
            PML_TRY(pml_json_fail(json, error, "a key of __metadata__ stands twice"));
        }
        PML_TRY(pml_json_expect(json, PML_JSON_STRING, "a string as value in __metadata__", error));
        PML_TRY(pml_source_add_attribute(reader->source, pml_names_at(&keys, i_key), json->text, error));
    }
done:
    pml_names_deinit(&keys);
    return status;
}

/* The current token is the tensor's name. */
static pml_status read_tensor(header_reader *reader, pml_error *error) {
    pml_status status = PML_OK;
    if (reader->json.text_bytes > PML_MAX_NAME_BYTES) {
        PML_TRY(pml_json_fail(&reader->json, error, "a tensor's name is longer than 1024 bytes"));
    }
    memcpy(reader->name, reader->json.text, reader->json.text_bytes + 1);
    pml_source_tensor tensor = {.name = reader->name, .i_file = (unsigned)reader->i_file};
    PML_TRY(read_entry(reader, &tensor, error));
    PML_TRY(pml_source_add_tensor(reader->source, &tensor, error));
done:
    return status;
}

/* The declared header length, checked. */
static pml_status read_length(const pml_source *source, size_t i_file, uint64_t *header_bytes, pml_error *error) {
    const char *path = pml_source_file_path(source, i_file);
    uint64_t file_bytes = pml_source_file_size(source, i_file);
    if (file_bytes < LENGTH_BYTES) {
        return PML_FAIL_AT(error, PML_E_FORMAT, 0, "%s: byte 0: the header's length needs 8 bytes, the file has %llu",
                           path, (unsigned long long)file_bytes);
    }
    uint64_t length = pml_safetensors_header_bytes(pml_source_file_data(source, i_file));
    if (length > file_bytes - LENGTH_BYTES || length > PML_MAX_HEADER_BYTES) {
        bool is_swapped = __builtin_bswap64(length) <= file_bytes - LENGTH_BYTES;
        return PML_FAIL_AT(
            error, PML_E_FORMAT, 0, "%s: byte 0: a header of %llu bytes, %s (%llu)%s", path, (unsigned long long)length,
            length > file_bytes - LENGTH_BYTES ? "longer than the rest of the file" : "more than allowed",
            (unsigned long long)(length > file_bytes - LENGTH_BYTES ? file_bytes - LENGTH_BYTES : PML_MAX_HEADER_BYTES),
            is_swapped ? "; is the length big-endian?" : "");
    }
    *header_bytes = length;
    return PML_OK;
}

pml_status pml_safetensors_read_header(pml_source *source, size_t i_file, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t header_bytes = 0;
    header_reader reader = {.source = source, .i_file = i_file};
    PML_TRY(read_length(source, i_file, &header_bytes, error));
    reader.data_start = LENGTH_BYTES + header_bytes;
    pml_json_reader_init(&reader.json, pml_source_file_data(source, i_file) + LENGTH_BYTES, (size_t)header_bytes,
                         LENGTH_BYTES, pml_source_file_path(source, i_file), MAX_STRING_BYTES);
    PML_TRY(pml_json_expect(&reader.json, PML_JSON_OBJECT_BEGIN, "an object as header", error));
    for (;;) {
        PML_TRY(pml_json_next(&reader.json, error));
        if (reader.json.token == PML_JSON_OBJECT_END) {
            break;
        }
        PML_TRY(strcmp(reader.json.text, "__metadata__") == 0 ? read_metadata(&reader, error)
                                                              : read_tensor(&reader, error));
    }
    PML_TRY(pml_json_expect(&reader.json, PML_JSON_END, "nothing but spaces behind the header", error));
done:
    pml_json_reader_deinit(&reader.json);
    return status;
}

static pml_status coverage_fail(const pml_source *source, const pml_source_tensor *tensor, uint64_t expected,
                                pml_error *error) {
    pml_quoted name;
    return PML_FAIL_AT(error, PML_E_FORMAT, tensor->offset_bytes,
                       "%s: tensor %s at byte %llu: %s; it should begin at byte %llu",
                       pml_source_file_path(source, tensor->i_file), pml_quote(&name, tensor->name),
                       (unsigned long long)tensor->offset_bytes,
                       tensor->offset_bytes < expected ? "overlaps the tensor before it" : "a hole lies before it",
                       (unsigned long long)expected);
}

pml_status pml_safetensors_check_coverage(pml_source *source, pml_error *error) {
    pml_status status = PML_OK;
    size_t i = 0;
    PML_TRY(pml_source_sort(source, error));
    for (size_t i_file = 0; i_file < pml_source_n_files(source); i_file++) {
        uint64_t end = LENGTH_BYTES + pml_safetensors_header_bytes(pml_source_file_data(source, i_file));
        uint64_t last_begin = end;
        for (; i < pml_source_n_tensors(source); i++) {
            const pml_source_tensor *tensor = pml_source_tensor_at(source, i);
            if (tensor->i_file != i_file) {
                break;
            }
            /* Tensors without bytes may share the begin of the one that their names happen to follow. */
            bool is_empty_twin = tensor->size_bytes == 0 && tensor->offset_bytes == last_begin;
            if (tensor->offset_bytes != end && !is_empty_twin) {
                PML_TRY(coverage_fail(source, tensor, end, error));
            }
            last_begin = tensor->offset_bytes;
            end += tensor->size_bytes;
        }
        uint64_t file_bytes = pml_source_file_size(source, i_file);
        if (end != file_bytes) {
            PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, end, "%s: byte %llu: %llu bytes behind the last tensor",
                                pml_source_file_path(source, i_file), (unsigned long long)end,
                                (unsigned long long)(file_bytes - end)));
        }
    }
done:
    return status;
}
