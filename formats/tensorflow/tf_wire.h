/* Protocol buffers' wire form, read strictly and in place: what the index of a checkpoint is made of. Four little
 * messages and one large one are walked field by field, so that neither generated code nor a tree in memory is needed.
 */
#ifndef PML_FORMATS_TENSORFLOW_TF_WIRE_H
#define PML_FORMATS_TENSORFLOW_TF_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum pml_tf_wire_type {
    PML_TF_VARINT = 0,
    PML_TF_FIXED64 = 1,
    PML_TF_BYTES = 2,
    PML_TF_FIXED32 = 5
} pml_tf_wire_type;

typedef struct pml_tf_span { /* bytes of somebody else */
    const uint8_t *bytes;
    size_t size_bytes;
} pml_tf_span;

typedef struct pml_tf_field {
    uint32_t number;
    pml_tf_wire_type type;
    uint64_t value;   /* VARINT, FIXED64, FIXED32 */
    pml_tf_span span; /* BYTES */
} pml_tf_field;

/* Takes a variable-length number off the front. False: it is cut off or has more than 64 bits; nothing is taken. */
bool pml_tf_take_varint(pml_tf_span *span, uint64_t *value);
/* Takes that many bytes off the front. False: there are not so many. */
bool pml_tf_take_bytes(pml_tf_span *span, uint64_t size_bytes, pml_tf_span *taken);
/* Takes the next field off the front. False with an empty rest: the end; else the message is damaged. Groups, which
 * nobody has written for long, are damage. */
bool pml_tf_take_field(pml_tf_span *span, pml_tf_field *field);

#endif
