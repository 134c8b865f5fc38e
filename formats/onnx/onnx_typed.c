/* Typed fields: varints of up to 64 bits, or 4 and 8 little-endian bytes, packed in runs or each with its tag. */
#include "formats/onnx/onnx_typed.h"

#include <string.h>

#include "runtime/base/checked.h"

enum { FLOAT_DATA = 4, INT32_DATA = 5, INT64_DATA = 7, DOUBLE_DATA = 10, UINT64_DATA = 11 };

typedef struct typed_row {
    pml_dtype dtype;
    uint32_t field;
    unsigned value_bytes; /* of one value in the tensor; C64 is two of them */
    int64_t least;
    uint64_t greatest; /* of a varint; unused for floats */
} typed_row;

static const typed_row rows[] = {
    {PML_DTYPE_F32, FLOAT_DATA, 4, 0, 0},
    {PML_DTYPE_C64, FLOAT_DATA, 4, 0, 0},
    {PML_DTYPE_F64, DOUBLE_DATA, 8, 0, 0},
    {PML_DTYPE_F16, INT32_DATA, 2, 0, UINT16_MAX},
    {PML_DTYPE_BF16, INT32_DATA, 2, 0, UINT16_MAX},
    {PML_DTYPE_F8_E4M3, INT32_DATA, 1, 0, UINT8_MAX},
    {PML_DTYPE_F8_E5M2, INT32_DATA, 1, 0, UINT8_MAX},
    {PML_DTYPE_F8_E8M0, INT32_DATA, 1, 0, UINT8_MAX},
    {PML_DTYPE_BOOL, INT32_DATA, 1, 0, 1},
    {PML_DTYPE_I8, INT32_DATA, 1, INT8_MIN, INT8_MAX},
    {PML_DTYPE_U8, INT32_DATA, 1, 0, UINT8_MAX},
    {PML_DTYPE_I16, INT32_DATA, 2, INT16_MIN, INT16_MAX},
    {PML_DTYPE_U16, INT32_DATA, 2, 0, UINT16_MAX},
    {PML_DTYPE_I32, INT32_DATA, 4, INT32_MIN, INT32_MAX},
    {PML_DTYPE_I64, INT64_DATA, 8, INT64_MIN, INT64_MAX},
    {PML_DTYPE_U32, UINT64_DATA, 4, 0, UINT32_MAX},
    {PML_DTYPE_U64, UINT64_DATA, 8, 0, UINT64_MAX},
};

static const typed_row *find_row(pml_dtype dtype) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].dtype == dtype) {
            return &rows[i];
        }
    }
    return NULL;
}

uint32_t pml_onnx_typed_field(pml_dtype dtype) {
    const typed_row *row = find_row(dtype);
    return row == NULL ? 0 : row->field;
}

bool pml_onnx_typed_is_plain(const pml_onnx_data *data, uint64_t *offset, uint64_t *size_bytes) {
    *offset = data->run_offset;
    *size_bytes = data->run_bytes;
    return (data->typed_field == FLOAT_DATA || data->typed_field == DOUBLE_DATA) && data->n_runs == 1 &&
           data->run_type == PML_WIRE_BYTES;
}

typedef struct decoder {
    const typed_row *row;
    uint64_t n_values, n_wanted;
    uint8_t *out; /* NULL: nowhere */
} decoder;

static pml_status put_value(decoder *d, const pml_wire *wire, const void *bytes, pml_error *error) {
    if (d->n_values == d->n_wanted) {
        return pml_wire_fail(wire, wire->position, "a tensor has more elements than its shape", error);
    }
    d->n_values++;
    if (d->out != NULL) {
        memcpy(d->out, bytes, d->row->value_bytes);
        d->out += d->row->value_bytes;
    }
    return PML_OK;
}

/* An int32_data value is 32 bits, sign-extended to 64 by most writers and not by all. */
static pml_status put_varint(decoder *d, const pml_wire *wire, uint64_t value, pml_error *error) {
    const typed_row *row = d->row;
    if (row->field == INT32_DATA) {
        value = (uint64_t)(int64_t)(int32_t)(uint32_t)value;
    }
    const bool is_negative = row->least < 0 && (int64_t)value < 0;
    if (is_negative ? (int64_t)value < row->least : value > row->greatest) {
        return pml_wire_fail(wire, wire->position, "a tensor has an element that its type does not have", error);
    }
    uint8_t bytes[8];
    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)value;
        value >>= 8;
    }
    return put_value(d, wire, bytes, error);
}

/* The values of one field, packed or single. */
static pml_status decode_run(decoder *d, const pml_wire *wire, const pml_wire_field *field, pml_error *error) {
    pml_status status = PML_OK;
    pml_wire run = pml_wire_inner(wire, field);
    const bool is_float = d->row->field == FLOAT_DATA || d->row->field == DOUBLE_DATA;
    const pml_wire_type single = d->row->field == FLOAT_DATA ? PML_WIRE_FIXED32
                                 : is_float                  ? PML_WIRE_FIXED64
                                                             : PML_WIRE_VARINT;
    if (field->type != PML_WIRE_BYTES && field->type != single) {
        PML_TRY(pml_wire_fail(wire, field->tag_offset, "a field is not of its type", error));
    }
    while (run.position < run.end) {
        uint64_t value;
        if (!is_float) {
            PML_TRY(pml_wire_varint(&run, &value, error));
            PML_TRY(put_varint(d, &run, value, error));
        } else if (run.end - run.position < d->row->value_bytes) {
            PML_TRY(pml_wire_fail(&run, run.position, "a tensor ends inside an element", error));
        } else {
            PML_TRY(put_value(d, &run, run.bytes + run.position, error));
            run.position += d->row->value_bytes;
        }
    }
done:
    return status;
}

/* Every field of the tensor that holds elements. */
static pml_status decode_fields(decoder *d, pml_wire body, pml_error *error) {
    pml_status status = PML_OK;
    pml_wire_field field;
    for (;;) {
        PML_TRY(pml_wire_next(&body, &field, error));
        if (field.number == 0) {
            break;
        }
        if (field.number == d->row->field) {
            PML_TRY(decode_run(d, &body, &field, error));
        }
    }
    if (d->n_values != d->n_wanted) {
        PML_TRY(pml_wire_fail(&body, body.position, "a tensor has fewer elements than its shape", error));
    }
done:
    return status;
}

pml_status pml_onnx_typed_decode(const pml_wire *wire, const pml_onnx_data *data, pml_dtype dtype, uint64_t n_elements,
                                 void *out, pml_error *error) {
    pml_wire body = *wire;
    decoder d = {.row = find_row(dtype), .n_wanted = n_elements, .out = out};
    body.position = data->begin;
    body.end = data->end;
    if (d.row == NULL || d.row->field != data->typed_field) {
        return pml_wire_fail(wire, data->begin, "a tensor's elements stand in a field of another type", error);
    }
    if (dtype == PML_DTYPE_C64 && !pml_ck_mul(n_elements, 2, &d.n_wanted)) {
        return pml_wire_fail(wire, data->begin, "the size of a tensor overflows 64 bits", error);
    }
    return decode_fields(&d, body, error);
}
