/* Entries of pml_metadata as metadata.c makes them and metadata_bytes.c reads and stores them. Private to this floor.
 */
#ifndef PML_RUNTIME_FILE_METADATA_ENTRY_H
#define PML_RUNTIME_FILE_METADATA_ENTRY_H

#include "runtime/file/metadata.h"

struct pml_metadata {
    pml_meta_entry **entries; /* ascending keys; each entry is one allocation with all that it points to */
    size_t count;
    size_t capacity;
};

static inline bool pml_meta_is_array(uint32_t type) {
    return type == PML_META_I64_ARRAY || type == PML_META_F64_ARRAY || type == PML_META_STRING_ARRAY;
}

static inline bool pml_meta_is_text(uint32_t type) {
    return type == PML_META_STRING || type == PML_META_STRING_ARRAY;
}

/* An entry of BOOL, I64, F64 or a number array; `values` are 8 bytes each (a BOOL: not 0), of any alignment.
 * Errors: MEMORY. */
pml_status pml_meta_make_numbers(const char *key, size_t key_bytes, pml_meta_type type, const void *values,
                                 size_t count, pml_meta_entry **entry, pml_error *error) PML_WARN_UNUSED;

/* An entry of STRING or STRING_ARRAY whose texts, each with its terminating zero, take `text_bytes` in all. The caller
 * writes them to *text and their addresses to (*pointers)[0 .. count-1]. Errors: MEMORY. */
pml_status pml_meta_begin_strings(const char *key, size_t key_bytes, pml_meta_type type, size_t count,
                                  size_t text_bytes, pml_meta_entry **entry, const char ***pointers, char **text,
                                  pml_error *error) PML_WARN_UNUSED;

/* Inserts or replaces; takes ownership of `entry`, also on failure. Errors: ARGUMENT (too many keys), MEMORY. */
pml_status pml_meta_put(pml_metadata *m, pml_meta_entry *entry, pml_error *error) PML_WARN_UNUSED;

#endif
