/* Some members of a JSON object, by name: what a command printed, a line of a journal. */
#ifndef PML_CONVERT_BATCH_JSON_FIELDS_H
#define PML_CONVERT_BATCH_JSON_FIELDS_H

#include "runtime/base/arena.h"

typedef enum pml_json_field_kind {
    PML_FIELD_TEXT, /* const char *, in the arena */
    PML_FIELD_U64,  /* uint64_t */
    PML_FIELD_F64,  /* double */
    PML_FIELD_BOOL  /* bool */
} pml_json_field_kind;

typedef struct pml_json_field {
    const char *key;
    pml_json_field_kind kind;
    void *out; /* left alone where the object lacks the key or has null */
} pml_json_field;

/* Reads an object; members that no field names, or whose value is of another kind, are passed over. `name` is what
 * messages call the text. Errors: FORMAT (not one JSON object), MEMORY. */
pml_status pml_json_fields_read(const char *bytes, size_t size_bytes, const char *name, const pml_json_field *fields,
                                size_t n_fields, pml_arena *texts, pml_error *error) PML_WARN_UNUSED;

#endif
