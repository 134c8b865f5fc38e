/* ONNX models: initializers and the tensors of Constant nodes, inside the file or beside it, under the names of the
 * framework that they were exported from. Parts: onnx/. Subgraphs of If, Loop and Scan and functions are not read: no
 * exporter puts weights there. */
#include "formats/onnx/onnx_open.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "formats/file_map.h"
#include "formats/onnx/onnx_make.h"
#include "formats/source.h"
#include "runtime/base/alloc.h"

typedef struct onnx_state {
    pml_onnx_model model;
    pml_onnx_weights weights;
} onnx_state;

/* A model begins with its ir_version, a small number, and goes on with another field of ModelProto. */
static unsigned probe_onnx(const pml_probe *probe) {
    enum { IR_VERSION = 0x08, MAX_IR_VERSION = 31 };
    static const uint8_t next[] = {0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72};
    unsigned bits = pml_name_ends_with(probe->base_name, ".onnx") ? 32 : 0;
    if (probe->head_bytes > 2 && probe->head[0] == IR_VERSION && probe->head[1] > 0 &&
        probe->head[1] <= MAX_IR_VERSION && memchr(next, probe->head[2], sizeof next) != NULL) {
        bits += 16;
    }
    return bits;
}

static pml_status add_number(pml_source *source, const char *key, uint64_t value, pml_error *error) {
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    return value == 0 ? PML_OK : pml_source_add_attribute(source, key, text, error);
}

/* What the file says of itself, and what was done to it. */
static pml_status add_attributes(pml_source *source, const onnx_state *state, pml_error *error) {
    pml_status status = PML_OK;
    const Onnx__ModelProto *proto = state->model.proto;
    const char *producer[] = {proto->producer_name, proto->producer_version};
    static const char *const keys[] = {"onnx.producer", "onnx.producer_version"};
    for (size_t i = 0; i < 2; i++) {
        if (producer[i] != NULL && producer[i][0] != '\0') {
            PML_TRY(pml_source_add_attribute(source, keys[i], producer[i], error));
        }
    }
    PML_TRY(add_number(source, "onnx.names_recovered", state->weights.n_recovered, error));
    PML_TRY(add_number(source, "onnx.tensors_dequantized", state->weights.n_quantized, error));
    PML_TRY(add_number(source, "onnx.constants_left_out", state->weights.n_left_out, error));
    for (size_t i = 0; i < proto->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *entry = proto->metadata_props[i];
        if (entry->key != NULL && entry->value != NULL && strlen(entry->key) <= PML_MAX_NAME_BYTES) {
            PML_TRY(pml_source_add_attribute(source, entry->key, entry->value, error));
        }
    }
done:
    return status;
}

pml_status pml_onnx_open(pml_source *source, size_t i_file, pml_onnx_view view, pml_error *error) {
    pml_status status = PML_OK;
    onnx_state *state = NULL;
    PML_TRY(pml_alloc(1, sizeof *state, &state, error));
    pml_source_set_private(source, state);
    PML_TRY(pml_onnx_model_read(source, i_file, &state->model, error));
    PML_TRY(pml_onnx_weights_add(&state->model, view, source, &state->weights, error));
    PML_TRY(add_attributes(source, state, error));
done:
    return status;
}

static pml_status open_onnx(const char *path, pml_source *source, pml_error *error) {
    pml_status status = PML_OK;
    size_t i_file;
    PML_TRY(pml_source_add_file(source, path, &i_file, error));
    PML_TRY(pml_onnx_open(source, i_file, PML_ONNX_AS_NAMED, error));
done:
    return status;
}

static pml_status read_onnx(pml_source *source, size_t i_tensor, void *buffer, pml_error *error) {
    const onnx_state *state = pml_source_private(source);
    const char *name = pml_source_tensor_at(source, i_tensor)->name;
    size_t i_weight;
    if (!pml_names_find(&state->weights.names, name, strlen(name), &i_weight)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s: no such tensor", pml_source_path(source));
    }
    return pml_onnx_make(source, &state->weights.items[i_weight], buffer, error);
}

static void close_onnx(pml_source *source) {
    onnx_state *state = pml_source_private(source);
    if (state != NULL) {
        pml_onnx_weights_deinit(&state->weights);
        pml_onnx_model_deinit(&state->model);
        pml_free(state);
    }
}

extern const pml_format pml_format_onnx;
const pml_format pml_format_onnx = {
    .name = "onnx",
    .description = "ONNX: one model, with its external data beside it",
    .file_names = (const char *const[]){"model.onnx", NULL},
    .file_endings = (const char *const[]){".onnx", NULL},
    .probe = probe_onnx,
    .open = open_onnx,
    .read = read_onnx,
    .close = close_onnx,
};
