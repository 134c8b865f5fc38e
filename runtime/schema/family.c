/* The public face of the family registry (runtime/pml.h): a pml_family is a schema that hosts cannot look into. */
#include "runtime/schema/schema.h"

static const pml_schema *schema_of(const pml_family *family) {
    return (const pml_schema *)(const void *)family;
}

static const pml_family *family_of(const pml_schema *schema) {
    return (const pml_family *)(const void *)schema;
}

const pml_family *pml_family_get(const char *name) {
    return name == NULL ? NULL : family_of(pml_schema_find(name));
}

const pml_family *pml_family_at(size_t i_family) {
    for (size_t i = 0; pml_schemas[i] != NULL; i++) {
        if (i == i_family) {
            return family_of(pml_schemas[i]);
        }
    }
    return NULL;
}

const char *pml_family_name(const pml_family *family) {
    return schema_of(family)->name;
}

const char *pml_family_architecture(const pml_family *family) {
    return schema_of(family)->architecture;
}

const char *const *pml_family_variants(const pml_family *family) {
    return schema_of(family)->variants;
}

const char *const *pml_family_known_repos(const pml_family *family) {
    return schema_of(family)->known_repos;
}
