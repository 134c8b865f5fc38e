/* The wire format of Protocol Buffers over bytes in memory: fields one after the other, every length checked against
 * what encloses it. Groups, which proto2 deprecated, are refused. */
#ifndef PML_FORMATS_ONNX_WIRE_H
#define PML_FORMATS_ONNX_WIRE_H

#include "runtime/base/error.h"

typedef enum pml_wire_type {
    PML_WIRE_VARINT = 0,
    PML_WIRE_FIXED64 = 1,
    PML_WIRE_BYTES = 2,
    PML_WIRE_FIXED32 = 5
} pml_wire_type;

typedef struct pml_wire { /* a message: bytes [position, end) of a file; storage of the caller */
    const uint8_t *bytes; /* of the whole file */
    uint64_t position, end;
    const char *path; /* for messages */
} pml_wire;

typedef struct pml_wire_field {
    uint32_t number; /* 0: the message is at its end */
    pml_wire_type type;
    uint64_t tag_offset;
    uint64_t offset, size_bytes; /* of the value; without its length, where it has one */
    uint64_t varint;             /* PML_WIRE_VARINT only */
} pml_wire_field;

/* Reads the next field. Errors: FORMAT with the offset. */
pml_status pml_wire_next(pml_wire *wire, pml_wire_field *field, pml_error *error) PML_WARN_UNUSED;
/* Reads one varint, of a packed field. Errors: FORMAT with the offset. */
pml_status pml_wire_varint(pml_wire *wire, uint64_t *value, pml_error *error) PML_WARN_UNUSED;
/* The message that is the value of a field of PML_WIRE_BYTES. */
pml_wire pml_wire_inner(const pml_wire *wire, const pml_wire_field *field);
/* "path: byte N: cause". */
pml_status pml_wire_fail(const pml_wire *wire, uint64_t offset, const char *cause, pml_error *error);

#endif
