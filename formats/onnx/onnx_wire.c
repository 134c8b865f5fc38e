/* Tags, varints and lengths. A varint of more than ten bytes, or of more than 64 bits, is refused. */
#include "formats/onnx/onnx_wire.h"

enum { TYPE_BITS = 3, VARINT_BITS = 7, LAST_SHIFT = 63 };
#define MAX_FIELD_NUMBER ((UINT64_C(1) << 29) - 1)

pml_status pml_wire_fail(const pml_wire *wire, uint64_t offset, const char *cause, pml_error *error) {
    return PML_FAIL_AT(error, PML_E_FORMAT, offset, "%s: byte %llu: %s", wire->path, (unsigned long long)offset, cause);
}

pml_status pml_wire_varint(pml_wire *wire, uint64_t *value, pml_error *error) {
    const uint64_t start = wire->position;
    uint64_t result = 0;
    for (unsigned shift = 0; shift <= LAST_SHIFT; shift += VARINT_BITS) {
        if (wire->position >= wire->end) {
            return pml_wire_fail(wire, start, "a number reaches past the end of its message", error);
        }
        const uint8_t byte = wire->bytes[wire->position++];
        if (shift == LAST_SHIFT && byte > 1) {
            break;
        }
        result |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *value = result;
            return PML_OK;
        }
    }
    return pml_wire_fail(wire, start, "a number has more than 64 bits", error);
}

pml_status pml_wire_next(pml_wire *wire, pml_wire_field *field, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t tag;
    *field = (pml_wire_field){.tag_offset = wire->position};
    if (wire->position == wire->end) {
        goto done;
    }
    PML_TRY(pml_wire_varint(wire, &tag, error));
    const uint64_t number = tag >> TYPE_BITS;
    if (number == 0 || number > MAX_FIELD_NUMBER) {
        PML_TRY(pml_wire_fail(wire, field->tag_offset, "no field has this number", error));
    }
    field->type = (pml_wire_type)(tag & 7);
    field->offset = wire->position;
    switch (field->type) {
    case PML_WIRE_VARINT:
        PML_TRY(pml_wire_varint(wire, &field->varint, error));
        field->size_bytes = wire->position - field->offset;
        break;
    case PML_WIRE_FIXED64:
        field->size_bytes = 8;
        break;
    case PML_WIRE_FIXED32:
        field->size_bytes = 4;
        break;
    case PML_WIRE_BYTES:
        PML_TRY(pml_wire_varint(wire, &field->size_bytes, error));
        field->offset = wire->position;
        break;
    default:
        PML_TRY(pml_wire_fail(wire, field->tag_offset, "a field is of a kind that ONNX does not use", error));
    }
    if (field->size_bytes > wire->end - field->offset) {
        PML_TRY(pml_wire_fail(wire, field->tag_offset, "a field reaches past the end of its message", error));
    }
    wire->position = field->offset + field->size_bytes;
    field->number = (uint32_t)number;
done:
    return status;
}

pml_wire pml_wire_inner(const pml_wire *wire, const pml_wire_field *field) {
    pml_wire inner = *wire;
    inner.position = field->offset;
    inner.end = field->offset + field->size_bytes;
    return inner;
}
