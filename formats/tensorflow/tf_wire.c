#include "formats/tensorflow/tf_wire.h"

#include "runtime/base/bytes.h"

enum { MAX_FIELD_NUMBER = 536870911 };

bool pml_tf_take_varint(pml_tf_span *span, uint64_t *value) {
    uint64_t number = 0;
    for (unsigned i = 0, shift = 0; i < 10 && i < span->size_bytes; i++, shift += 7) {
        uint64_t byte = span->bytes[i];
        if (i == 9 && byte > 1) {
            return false;
        }
        number |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            span->bytes += i + 1;
            span->size_bytes -= i + 1;
            *value = number;
            return true;
        }
    }
    return false;
}

bool pml_tf_take_bytes(pml_tf_span *span, uint64_t size_bytes, pml_tf_span *taken) {
    if (size_bytes > span->size_bytes) {
        return false;
    }
    *taken = (pml_tf_span){span->bytes, (size_t)size_bytes};
    span->bytes += (size_t)size_bytes;
    span->size_bytes -= (size_t)size_bytes;
    return true;
}

bool pml_tf_take_field(pml_tf_span *span, pml_tf_field *field) {
    pml_tf_span rest = *span, fixed;
    uint64_t tag, length;
    if (!pml_tf_take_varint(&rest, &tag) || tag >> 3 == 0 || tag >> 3 > MAX_FIELD_NUMBER) {
        return false;
    }
    *field = (pml_tf_field){.number = (uint32_t)(tag >> 3), .type = (pml_tf_wire_type)(tag & 7)};
    bool is_whole = false;
    switch (tag & 7) {
    case PML_TF_VARINT:
        is_whole = pml_tf_take_varint(&rest, &field->value);
        break;
    case PML_TF_FIXED64:
        is_whole = pml_tf_take_bytes(&rest, 8, &fixed);
        field->value = is_whole ? pml_load_u64(fixed.bytes) : 0;
        break;
    case PML_TF_BYTES:
        is_whole = pml_tf_take_varint(&rest, &length) && pml_tf_take_bytes(&rest, length, &field->span);
        break;
    case PML_TF_FIXED32:
        is_whole = pml_tf_take_bytes(&rest, 4, &fixed);
        field->value = is_whole ? pml_load_u32(fixed.bytes) : 0;
        break;
    default:
        break;
    }
    if (is_whole) {
        *span = rest;
    }
    return is_whole;
}
