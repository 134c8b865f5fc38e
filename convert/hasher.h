/* The SHA-256 of every file of a source, taken as the conversion reads them: each byte once, just before it is used. */
#ifndef PML_CONVERT_HASHER_H
#define PML_CONVERT_HASHER_H

#include "convert/hash.h"
#include "formats/format.h"

typedef struct pml_hasher pml_hasher;

typedef void pml_hasher_progress_fn(void *user, uint64_t done_bytes);

/* `source` is borrowed; `progress` (may be NULL) is told how many bytes have been hashed in all. Errors: MEMORY. */
pml_status pml_hasher_create(pml_source *source, pml_hasher_progress_fn *progress, void *user, pml_hasher **hasher,
                             pml_error *error) PML_WARN_UNUSED;
void pml_hasher_destroy(pml_hasher *hasher); /* NULL is allowed */

/* Hashes file `i_file` up to `end_bytes`, if it is not that far already. Errors: INTERRUPTED, MEMORY. */
pml_status pml_hasher_advance(pml_hasher *hasher, size_t i_file, uint64_t end_bytes, pml_error *error) PML_WARN_UNUSED;

/* Lets the system take back the mapped pages of what has been hashed below `end_bytes`; reading them again is allowed.
 */
void pml_hasher_release(pml_hasher *hasher, size_t i_file, uint64_t end_bytes);

/* Hashes what is left; *hashes, one text per file, is the caller's (pml_free). Call once. */
pml_status pml_hasher_finish(pml_hasher *hasher, char (**hashes)[PML_SHA256_TEXT_BYTES],
                             pml_error *error) PML_WARN_UNUSED;

#endif
