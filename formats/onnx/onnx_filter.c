/* One table per message says what becomes of each of its fields; a field that no row names is left out. */
#include "formats/onnx/onnx_filter.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "runtime/base/utf8.h"

typedef enum action {
    COPY,    /* a number */
    COUNTS,  /* dimensions: numbers, packed or not */
    TEXT,    /* copied: UTF-8 without a zero byte */
    MESSAGE, /* its fields by `table` */
    ONCE,    /* the same, of which there is at most one */
    TENSOR,  /* ONCE, whose data are noted */
    TENSORS, /* the same, any number */
    SCOPE,   /* an entry of metadata, copied where it is SCOPE_KEY */
    REFUSE
} action;

typedef struct field_rule {
    uint32_t number; /* 0 ends the table */
    action action;
    const struct field_rule *table;
    const char *what; /* of REFUSE */
} field_rule;

/* Numbers of fields: formats/onnx/onnx.proto. */
static const field_rule entry_fields[] = {{1, TEXT, NULL, NULL}, {2, TEXT, NULL, NULL}, {0, COPY, NULL, NULL}};
static const field_rule opset_fields[] = {{1, TEXT, NULL, NULL}, {2, COPY, NULL, NULL}, {0, COPY, NULL, NULL}};
static const field_rule tensor_fields[] = {{1, COUNTS, NULL, NULL},
                                           {2, COPY, NULL, NULL},
                                           {3, REFUSE, NULL, "tensors in segments"},
                                           {8, TEXT, NULL, NULL},
                                           {13, MESSAGE, entry_fields, NULL},
                                           {14, COPY, NULL, NULL},
                                           {0, COPY, NULL, NULL}};
static const field_rule attribute_fields[] = {{1, TEXT, NULL, NULL},
                                              {3, COPY, NULL, NULL},
                                              {5, TENSOR, tensor_fields, NULL},
                                              {20, COPY, NULL, NULL},
                                              {0, COPY, NULL, NULL}};
static const field_rule node_fields[] = {{1, TEXT, NULL, NULL},
                                         {2, TEXT, NULL, NULL},
                                         {3, TEXT, NULL, NULL},
                                         {4, TEXT, NULL, NULL},
                                         {5, MESSAGE, attribute_fields, NULL},
                                         {7, TEXT, NULL, NULL},
                                         {9, SCOPE, entry_fields, NULL},
                                         {0, COPY, NULL, NULL}};
static const field_rule graph_fields[] = {{1, MESSAGE, node_fields, NULL},
                                          {5, TENSORS, tensor_fields, NULL},
                                          {15, REFUSE, NULL, "sparse tensors"},
                                          {0, COPY, NULL, NULL}};
static const field_rule model_fields[] = {{1, COPY, NULL, NULL},
                                          {2, TEXT, NULL, NULL},
                                          {3, TEXT, NULL, NULL},
                                          {7, ONCE, graph_fields, NULL},
                                          {8, MESSAGE, opset_fields, NULL},
                                          {14, MESSAGE, entry_fields, NULL},
                                          {0, COPY, NULL, NULL}};

static const char SCOPE_KEY[] = "pkg.torch.onnx.name_scopes";
/* Fields of a tensor that hold elements: float, int32, string, int64, raw, double, uint64. */
enum { FIRST_DATA = 4, LAST_DATA = 7, RAW_DATA = 9, DOUBLE_DATA = 10, UINT64_DATA = 11 };
enum { LENGTH_BYTES = 4, INDEX_BYTES = 4, MAX_DIMENSION_BYTES = 80 }; /* 8 numbers of 10 bytes */

static pml_status write(pml_onnx_filtered *out, const void *bytes, size_t n_bytes, pml_error *error) {
    pml_status status = PML_OK;
    status = pml_grow(&out->bytes, &out->capacity, out->n_bytes + n_bytes, 1, PML_MAX_GRAPH_BYTES,
                      "bytes of a graph beside its tensors", error);
    PML_TRY(status == PML_E_FORMAT ? pml_error_prefix(error, status, "%s", out->path) : status);
    memcpy(out->bytes + out->n_bytes, bytes, n_bytes);
    out->n_bytes += n_bytes;
done:
    return status;
}

/* A number of `n_bytes` digits of 7 bits, more than it may need: lengths are known only afterwards. */
static void put_padded(uint8_t *at, uint64_t value, size_t n_bytes) {
    for (size_t i = 0; i < n_bytes; i++) {
        at[i] = (uint8_t)((value & 0x7f) | (i + 1 < n_bytes ? 0x80 : 0));
        value >>= 7;
    }
}

/* Copies a field as it stands in the file. */
static pml_status copy_field(const pml_wire *wire, const pml_wire_field *field, pml_onnx_filtered *out,
                             pml_error *error) {
    return write(out, wire->bytes + field->tag_offset, (size_t)(wire->position - field->tag_offset), error);
}

static pml_status check_type(const pml_wire *wire, const pml_wire_field *field, pml_wire_type type, pml_error *error) {
    return field->type == type ? PML_OK : pml_wire_fail(wire, field->tag_offset, "a field is not of its type", error);
}

static pml_status copy_text(const pml_wire *wire, const pml_wire_field *field, pml_onnx_filtered *out,
                            pml_error *error) {
    pml_status status = PML_OK;
    const uint8_t *text = wire->bytes + field->offset;
    PML_TRY(check_type(wire, field, PML_WIRE_BYTES, error));
    for (uint64_t i = 0; i < field->size_bytes;) {
        const size_t length = pml_utf8_length(text + i, (size_t)(field->size_bytes - i));
        if (length == 0 || text[i] == 0) {
            PML_TRY(pml_wire_fail(wire, field->offset + i, "a text is not UTF-8, or holds a zero byte", error));
        }
        i += length;
    }
    PML_TRY(copy_field(wire, field, out, error));
done:
    return status;
}

/* ---- the data of a tensor ---- */
static pml_status note_data(const pml_wire *wire, const pml_wire_field *field, pml_onnx_data *data, pml_error *error) {
    pml_status status = PML_OK;
    if (field->number == RAW_DATA) {
        PML_TRY(check_type(wire, field, PML_WIRE_BYTES, error));
        if (data->has_raw) {
            PML_TRY(pml_wire_fail(wire, field->tag_offset, "a tensor has raw_data twice", error));
        }
        data->has_raw = true;
        data->raw_offset = field->offset;
        data->raw_bytes = field->size_bytes;
    } else {
        if (data->typed_field != 0 && data->typed_field != field->number) {
            PML_TRY(pml_wire_fail(wire, field->tag_offset, "a tensor has elements in two fields", error));
        }
        data->typed_field = field->number;
        data->n_runs++;
        data->run_offset = field->offset;
        data->run_bytes = field->size_bytes;
        data->run_type = field->type;
    }
done:
    return status;
}

static bool is_data(uint32_t number) {
    return (number >= FIRST_DATA && number <= LAST_DATA) || number == RAW_DATA || number == DOUBLE_DATA ||
           number == UINT64_DATA;
}

/* Notes where the data of a tensor are and writes their number in their place. */
static pml_status write_data(const pml_wire *tensor, pml_onnx_filtered *out, pml_error *error) {
    pml_status status = PML_OK;
    pml_wire wire = *tensor;
    pml_wire_field field;
    pml_onnx_data data = {.begin = wire.position, .end = wire.end};
    uint8_t index[2 + INDEX_BYTES] = {RAW_DATA << 3 | PML_WIRE_BYTES, INDEX_BYTES};
    for (;;) {
        PML_TRY(pml_wire_next(&wire, &field, error));
        if (field.number == 0) {
            break;
        }
        if (is_data(field.number)) {
            PML_TRY(note_data(&wire, &field, &data, error));
        }
    }
    size_t rest = out->n_data;
    for (size_t i = 0; i < INDEX_BYTES; i++) {
        index[2 + i] = (uint8_t)rest;
        rest >>= 8;
    }
    PML_TRY(write(out, index, sizeof index, error));
    PML_TRY(pml_grow(&out->data, &out->data_capacity, out->n_data + 1, sizeof *out->data, PML_MAX_GRAPH_PARTS,
                     "tensors in a graph", error));
    out->data[out->n_data++] = data;
done:
    return status;
}

/* ---- messages ---- */
static pml_status filter_fields(pml_wire wire, const field_rule *table, pml_onnx_filtered *out, pml_error *error);

/* True when an entry of metadata has the key that is asked for. */
static bool has_key(const pml_wire *wire, const pml_wire_field *entry, const char *key) {
    pml_wire inner = pml_wire_inner(wire, entry);
    pml_wire_field field;
    while (pml_wire_next(&inner, &field, NULL) == PML_OK && field.number != 0) {
        if (field.number == 1 && field.type == PML_WIRE_BYTES && field.size_bytes == strlen(key) &&
            memcmp(inner.bytes + field.offset, key, strlen(key)) == 0) {
            return true;
        }
    }
    return false;
}

static pml_status filter_message(const pml_wire *wire, const pml_wire_field *field, const field_rule *rule,
                                 pml_onnx_filtered *out, pml_error *error) {
    pml_status status = PML_OK;
    uint8_t head[1 + LENGTH_BYTES] = {(uint8_t)(field->number << 3 | PML_WIRE_BYTES)}; /* numbers up to 15 */
    PML_TRY(check_type(wire, field, PML_WIRE_BYTES, error));
    PML_TRY(write(out, head, sizeof head, error));
    const size_t start = out->n_bytes;
    const pml_wire inner = pml_wire_inner(wire, field);
    PML_TRY(filter_fields(inner, rule->table, out, error));
    if (rule->action == TENSOR || rule->action == TENSORS) {
        PML_TRY(write_data(&inner, out, error));
    }
    put_padded(out->bytes + start - LENGTH_BYTES, out->n_bytes - start, LENGTH_BYTES);
done:
    return status;
}

static pml_status filter_field(const pml_wire *wire, const pml_wire_field *field, const field_rule *rule,
                               pml_onnx_filtered *out, pml_error *error) {
    pml_status status = PML_OK;
    if (++out->n_parts > PML_MAX_GRAPH_PARTS) {
        PML_TRY(pml_wire_fail(wire, field->tag_offset, "the graph has more parts than any that pml reads", error));
    }
    switch (rule->action) {
    case COPY:
        PML_TRY(check_type(wire, field, PML_WIRE_VARINT, error));
        PML_TRY(copy_field(wire, field, out, error));
        break;
    case COUNTS:
        if (field->type != PML_WIRE_VARINT) {
            PML_TRY(check_type(wire, field, PML_WIRE_BYTES, error));
        }
        if (field->size_bytes > MAX_DIMENSION_BYTES) {
            PML_TRY(PML_FAIL_AT(error, PML_E_UNSUPPORTED, field->tag_offset,
                                "%s: byte %llu: a tensor has more than %u dimensions", wire->path,
                                (unsigned long long)field->tag_offset, PML_MAX_RANK));
        }
        PML_TRY(copy_field(wire, field, out, error));
        break;
    case TEXT:
        PML_TRY(copy_text(wire, field, out, error));
        break;
    case SCOPE:
        if (!has_key(wire, field, SCOPE_KEY)) {
            break;
        }
        PML_TRY(filter_message(wire, field, rule, out, error));
        break;
    case REFUSE:
        PML_TRY(PML_FAIL_AT(error, PML_E_UNSUPPORTED, field->tag_offset, "%s: byte %llu: %s are not supported",
                            wire->path, (unsigned long long)field->tag_offset, rule->what));
        break;
    default:
        PML_TRY(filter_message(wire, field, rule, out, error));
    }
done:
    return status;
}

/* The fields of the message `wire`. Calls itself through the tables, which nest five deep. */
static pml_status filter_fields(pml_wire wire, const field_rule *table, pml_onnx_filtered *out, pml_error *error) {
    pml_status status = PML_OK;
    pml_wire_field field;
    bool has_single = false; /* no message has more than one kind of them */
    for (;;) {
        PML_TRY(pml_wire_next(&wire, &field, error));
        if (field.number == 0) {
            break;
        }
        const field_rule *rule = table;
        while (rule->number != 0 && rule->number != field.number) {
            rule++;
        }
        if (rule->number == 0) {
            continue;
        }
        if (rule->action == ONCE || rule->action == TENSOR) {
            if (has_single) {
                PML_TRY(pml_wire_fail(&wire, field.tag_offset, "a message stands twice that may stand once", error));
            }
            has_single = true;
        }
        PML_TRY(filter_field(&wire, &field, rule, out, error));
    }
done:
    return status;
}

pml_status pml_onnx_filter(const pml_wire *model, pml_onnx_filtered *filtered, pml_error *error) {
    filtered->path = model->path;
    return filter_fields(*model, model_fields, filtered, error);
}

void pml_onnx_filtered_deinit(pml_onnx_filtered *filtered) {
    pml_free(filtered->bytes);
    pml_free(filtered->data);
    *filtered = (pml_onnx_filtered){0};
}
