/* external_data: the keys location, offset and length, each at most once. */
#include "formats/onnx/onnx_external.h"

#include <string.h>

#include "formats/file_map.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/quote.h"

enum { LOCATION, OFFSET, LENGTH, N_KEYS };
static const char *const keys[N_KEYS] = {"location", "offset", "length"};

static pml_status place_fail(const pml_source *source, const Onnx__TensorProto *proto, const char *cause,
                             pml_error *error) {
    pml_quoted name;
    return PML_FAIL(error, PML_E_FORMAT, "%s: tensor %s in a file of its own: %s", pml_source_path(source),
                    pml_quote(&name, proto->name == NULL ? "" : proto->name), cause);
}

static pml_status collect(const pml_source *source, const Onnx__TensorProto *proto, const char *values[N_KEYS],
                          pml_error *error) {
    for (size_t i = 0; i < proto->n_external_data; i++) {
        const Onnx__StringStringEntryProto *entry = proto->external_data[i];
        for (size_t j = 0; entry->key != NULL && j < N_KEYS; j++) {
            if (strcmp(entry->key, keys[j]) == 0) {
                if (values[j] != NULL) {
                    return place_fail(source, proto, "location, offset or length stands twice", error);
                }
                values[j] = entry->value == NULL ? "" : entry->value;
            }
        }
    }
    return values[LOCATION] == NULL ? place_fail(source, proto, "no location is given", error) : PML_OK;
}

static bool read_decimal(const char *text, uint64_t *value) {
    *value = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || !pml_ck_mul(*value, 10, value) ||
            !pml_ck_add(*value, (uint64_t)(*at - '0'), value)) {
            return false;
        }
    }
    return text[0] != '\0';
}

static pml_status open_file(pml_source *source, pml_onnx_model *model, const char *location, unsigned *i_file,
                            pml_error *error) {
    pml_status status = PML_OK;
    size_t i_name, i_added;
    bool is_new;
    if (!pml_names_find(&model->external, location, strlen(location), &i_name)) {
        PML_TRY(pml_source_add_sibling(source, location, pml_source_path(source), &i_added, error));
        PML_TRY(pml_grow(&model->external_files, &model->external_capacity, model->n_external + 1,
                         sizeof *model->external_files, PML_MAX_SHARDS, "files beside a model", error));
        PML_TRY(pml_names_add(&model->external, location, strlen(location), PML_MAX_SHARDS, "files beside a model",
                              &i_name, &is_new, error));
        model->external_files[model->n_external++] = (unsigned)i_added;
    }
    *i_file = model->external_files[i_name];
done:
    return status;
}

pml_status pml_onnx_place_read(pml_source *source, pml_onnx_model *model, const Onnx__TensorProto *proto,
                               uint64_t size_bytes, pml_onnx_place *place, pml_error *error) {
    pml_status status = PML_OK;
    const char *values[N_KEYS] = {NULL};
    uint64_t length = size_bytes;
    *place = (pml_onnx_place){0};
    PML_TRY(collect(source, proto, values, error));
    if (values[OFFSET] != NULL && !read_decimal(values[OFFSET], &place->offset)) {
        PML_TRY(place_fail(source, proto, "its offset is no plain number", error));
    }
    if (values[LENGTH] != NULL && !read_decimal(values[LENGTH], &length)) {
        PML_TRY(place_fail(source, proto, "its length is no plain number", error));
    }
    if (length != size_bytes) {
        PML_TRY(place_fail(source, proto, "its length is not that of its shape", error));
    }
    if (!pml_is_base_name(values[LOCATION])) {
        PML_TRY(place_fail(source, proto, "its location is no file of the same directory", error));
    }
    PML_TRY(open_file(source, model, values[LOCATION], &place->i_file, error));
    if (!pml_ck_range(place->offset, size_bytes, pml_source_file_size(source, place->i_file))) {
        PML_TRY(place_fail(source, proto, "it reaches past the end of that file", error));
    }
done:
    return status;
}
