/* SHA-256, in pieces, so that a file is read once: hashed as it is converted. */
#ifndef PML_CONVERT_HASH_H
#define PML_CONVERT_HASH_H

#include "runtime/base/error.h"

#define PML_SHA256_TEXT_BYTES 65u /* 64 lower-case hexadecimal digits and a zero */

typedef struct pml_hash pml_hash;

/* Errors: MEMORY. */
pml_status pml_hash_create(pml_hash **hash, pml_error *error) PML_WARN_UNUSED;
void pml_hash_destroy(pml_hash *hash); /* NULL is allowed */
pml_status pml_hash_update(pml_hash *hash, const void *bytes, size_t size_bytes, pml_error *error) PML_WARN_UNUSED;
/* Ends the hash; update must not follow. */
pml_status pml_hash_finish(pml_hash *hash, char text[PML_SHA256_TEXT_BYTES], pml_error *error) PML_WARN_UNUSED;

/* All at once. Errors also: INTERRUPTED. */
pml_status pml_hash_bytes(const void *bytes, size_t size_bytes, char text[PML_SHA256_TEXT_BYTES],
                          pml_error *error) PML_WARN_UNUSED;

#endif
