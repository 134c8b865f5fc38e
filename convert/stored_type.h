/* The forms in which matrices can be stored, by the names that options have for them. */
#ifndef PML_CONVERT_STORED_TYPE_H
#define PML_CONVERT_STORED_TYPE_H

#include "runtime/base/dtype.h"
#include "runtime/base/error.h"

#define PML_STORED_TYPES "f32|bf16|int8|int8-g64|int8-g32"

typedef struct pml_stored_type {
    pml_dtype dtype;
    uint32_t group_rows; /* I8: rows per scale, 0 = one scale per column */
} pml_stored_type;

/* "int8-g64"; "?" for a form without a name. */
const char *pml_stored_type_name(pml_stored_type type);
/* false: there is no such form. */
bool pml_stored_type_find(const char *name, pml_stored_type *type);

/* A rule "PATTERN=TYPE" about weights whose names match PATTERN (* any text, ? any character, [abc] one of these). */
typedef struct pml_type_rule {
    char pattern[256];
    pml_stored_type type;
} pml_type_rule;
/* Errors: ARGUMENT (another form, or a type that does not exist). */
pml_status pml_type_rule_parse(const char *text, pml_type_rule *rule, pml_error *error) PML_WARN_UNUSED;
bool pml_type_rule_matches(const pml_type_rule *rule, const char *name);

#endif
