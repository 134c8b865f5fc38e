/* The hash by which the hub knows a file, taken piece by piece: SHA-256 of large (LFS) files, git's blob SHA-1 of
 * others. */
#ifndef PML_CONVERT_HUB_DIGEST_H
#define PML_CONVERT_HUB_DIGEST_H

#include "convert/hub/hub_name.h"

typedef struct pml_hub_digest pml_hub_digest;

/* Of a file of `size_bytes`, of the kind that `expected` (40 or 64 digits) is. Errors: MEMORY. */
pml_status pml_hub_digest_create(const char *expected, uint64_t size_bytes, pml_hub_digest **digest,
                                 pml_error *error) PML_WARN_UNUSED;
void pml_hub_digest_destroy(pml_hub_digest *digest); /* NULL is allowed */
/* Begins anew. Errors: MEMORY. */
pml_status pml_hub_digest_restart(pml_hub_digest *digest, pml_error *error) PML_WARN_UNUSED;
pml_status pml_hub_digest_update(pml_hub_digest *digest, const void *bytes, size_t size_bytes,
                                 pml_error *error) PML_WARN_UNUSED;
/* Ends the hash: restart alone may follow. Errors: MEMORY. */
pml_status pml_hub_digest_finish(pml_hub_digest *digest, char text[PML_HUB_HASH_TEXT_BYTES],
                                 pml_error *error) PML_WARN_UNUSED;

/* Of an open file, read from its start. Errors: IO, INTERRUPTED, MEMORY. */
pml_status pml_hub_digest_file(int fd, const char *expected, uint64_t size_bytes, char text[PML_HUB_HASH_TEXT_BYTES],
                               pml_error *error) PML_WARN_UNUSED;

#endif
