/* Typed key/value metadata: what a .pml file says about itself, and the form in which a mapper hands over a
 * configuration. Keys are unique; "general.", "config." and "series." are content, "provenance." is not (it stays out
 * of the content digest). Strings are UTF-8. */
#ifndef PML_RUNTIME_FILE_METADATA_H
#define PML_RUNTIME_FILE_METADATA_H

#include "runtime/base/error.h"

/* The numbers are those of the .pml file. */
typedef enum pml_meta_type {
    PML_META_BOOL = 1,
    PML_META_I64 = 2,
    PML_META_F64 = 3,
    PML_META_STRING = 4,
    PML_META_I64_ARRAY = 5,
    PML_META_F64_ARRAY = 6,
    PML_META_STRING_ARRAY = 7
} pml_meta_type;

typedef struct pml_meta_entry { /* all pointers owned by the pml_metadata */
    const char *key;
    pml_meta_type type;
    uint64_t count; /* elements; 1 for the scalar types */
    union {
        bool boolean;
        int64_t i64;
        double f64;
        const char *string;
        const int64_t *i64s;
        const double *f64s;
        const char *const *strings;
    } value;
} pml_meta_entry;

typedef struct pml_metadata pml_metadata;

pml_status pml_metadata_create(pml_metadata **metadata, pml_error *error) PML_WARN_UNUSED;
void pml_metadata_destroy(pml_metadata *metadata); /* NULL is allowed */

/* Each setter copies, and replaces an entry of the same key whatever its type. Numbers are taken as they are: whether
 * NaN may occur is the caller's rule. Errors: ARGUMENT (a key that is empty, too long, or not printable UTF-8; a string
 * that is not UTF-8; too much of anything), MEMORY. An entry's address stays valid until its key is set or removed. */
pml_status pml_metadata_set_bool(pml_metadata *m, const char *key, bool value, pml_error *error) PML_WARN_UNUSED;
pml_status pml_metadata_set_i64(pml_metadata *m, const char *key, int64_t value, pml_error *error) PML_WARN_UNUSED;
pml_status pml_metadata_set_f64(pml_metadata *m, const char *key, double value, pml_error *error) PML_WARN_UNUSED;
pml_status pml_metadata_set_string(pml_metadata *m, const char *key, const char *value,
                                   pml_error *error) PML_WARN_UNUSED;
pml_status pml_metadata_set_i64s(pml_metadata *m, const char *key, const int64_t *values, size_t count,
                                 pml_error *error) PML_WARN_UNUSED;
pml_status pml_metadata_set_f64s(pml_metadata *m, const char *key, const double *values, size_t count,
                                 pml_error *error) PML_WARN_UNUSED;
pml_status pml_metadata_set_strings(pml_metadata *m, const char *key, const char *const *values, size_t count,
                                    pml_error *error) PML_WARN_UNUSED;
/* Copies an entry of another metadata under its own key. */
pml_status pml_metadata_set_entry(pml_metadata *m, const pml_meta_entry *entry, pml_error *error) PML_WARN_UNUSED;
void pml_metadata_remove(pml_metadata *m, const char *key);

/* Entries in ascending byte order of their keys. */
size_t pml_metadata_count(const pml_metadata *m);
const pml_meta_entry *pml_metadata_at(const pml_metadata *m, size_t i_entry);
const pml_meta_entry *pml_metadata_find(const pml_metadata *m, const char *key); /* NULL: absent */

/* Typed look-ups. Errors: NOT_FOUND (names the key), FORMAT (another type). F64 also accepts an I64 entry. */
pml_status pml_metadata_get_bool(const pml_metadata *m, const char *key, bool *value, pml_error *error) PML_WARN_UNUSED;
pml_status pml_metadata_get_i64(const pml_metadata *m, const char *key, int64_t *value,
                                pml_error *error) PML_WARN_UNUSED;
pml_status pml_metadata_get_f64(const pml_metadata *m, const char *key, double *value,
                                pml_error *error) PML_WARN_UNUSED;
pml_status pml_metadata_get_string(const pml_metadata *m, const char *key, const char **value,
                                   pml_error *error) PML_WARN_UNUSED;

/* Byte form (specs/pml-format.md). `with_provenance` false leaves "provenance.*" out: the form that is digested.
 * encode: *bytes is owned by the caller (pml_free). decode: rejects everything that the spec does not allow,
 * with the offset relative to `bytes` plus `base_offset`; `file_name` is for messages. */
pml_status pml_metadata_encode(const pml_metadata *m, bool with_provenance, uint8_t **bytes, size_t *size_bytes,
                               pml_error *error) PML_WARN_UNUSED;
pml_status pml_metadata_decode(const uint8_t *bytes, size_t size_bytes, uint64_t base_offset, const char *file_name,
                               pml_metadata **metadata, pml_error *error) PML_WARN_UNUSED;

#endif
