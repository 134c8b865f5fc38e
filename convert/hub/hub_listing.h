/* The files of a repository at one commit, with size and hash: as the hub lists them, as the cache keeps the list. */
#ifndef PML_CONVERT_HUB_LISTING_H
#define PML_CONVERT_HUB_LISTING_H

#include <stdio.h>

#include "convert/hub/hub_name.h"
#include "runtime/base/names.h"

#define PML_HUB_MAX_FILES 1000000u
#define PML_HUB_MAX_LISTING_BYTES 67108864u /* of one answer, and of a list in the cache */

typedef struct pml_hub_file {
    const char *path; /* checked (pml_hub_path_check); owned by the listing */
    uint64_t size_bytes;
    char hash[PML_HUB_HASH_TEXT_BYTES];      /* of the content: 64 digits (LFS) or 40 (git); names the blob */
    char blob_id[PML_HUB_COMMIT_TEXT_BYTES]; /* git's; of an LFS file: of its pointer, "" when unknown */
    char xet_hash[PML_HUB_HASH_TEXT_BYTES];  /* "": none, or hidden */
} pml_hub_file;

typedef struct pml_hub_listing { /* zero = empty, safe to deinit */
    pml_hub_file *files;         /* in the order of addition */
    size_t count, capacity;
    pml_names names;
} pml_hub_listing;

void pml_hub_listing_deinit(pml_hub_listing *listing);
const pml_hub_file *pml_hub_listing_find(const pml_hub_listing *listing, const char *path); /* NULL: not there */

/* Adds one file. Errors: FORMAT (a path or hash that cannot be, or the path is there already), MEMORY. */
pml_status pml_hub_listing_add(pml_hub_listing *listing, const char *path, const char *hash, uint64_t size_bytes,
                               pml_error *error) PML_WARN_UNUSED;

/* Reads "sha" out of the hub's answer about a revision. `shown` names the answer in messages. Errors: FORMAT, MEMORY.
 */
pml_status pml_hub_listing_read_commit(const void *bytes, size_t size_bytes, const char *shown,
                                       char commit[PML_HUB_COMMIT_TEXT_BYTES], pml_error *error) PML_WARN_UNUSED;
/* Adds one page of the hub's answer about files. Errors: FORMAT (also a path, size or hash that cannot be), MEMORY. */
pml_status pml_hub_listing_read_page(const void *bytes, size_t size_bytes, const char *shown, pml_hub_listing *listing,
                                     pml_error *error) PML_WARN_UNUSED;
/* Reads what pml_hub_listing_write or the hub's own client wrote (trees/COMMIT.json). Errors: FORMAT (another version
 * too), MEMORY. */
pml_status pml_hub_listing_read(const void *bytes, size_t size_bytes, const char *shown, pml_hub_listing *listing,
                                pml_error *error) PML_WARN_UNUSED;
/* Errors: IO, MEMORY. */
pml_status pml_hub_listing_write(const pml_hub_listing *listing, FILE *stream, pml_error *error) PML_WARN_UNUSED;

#endif
