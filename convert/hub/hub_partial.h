/* A blob that is on its way: a file of its full size, filled at several places, that a later process goes on with.
 *
 * Behind the bytes lies a record of how far each segment has come, so that a kill at any point loses no more than what
 * was just received. Nothing in it is believed: whoever goes on hashes everything from byte 0. The name tells its
 * writer (runtime/base/process_mark.h); only what a dead process left is taken over, by renaming it, which one alone
 * succeeds in. */
#ifndef PML_CONVERT_HUB_PARTIAL_H
#define PML_CONVERT_HUB_PARTIAL_H

#include "convert/hub/hub_cache.h"

#define PML_HUB_SEGMENT_BYTES 67108864u

typedef struct pml_hub_partial { /* zero = closed, safe to close */
    const pml_hub_cache *cache;  /* borrowed */
    char name[PML_HUB_SCRATCH_BYTES];
    char hash[PML_HUB_HASH_TEXT_BYTES];
    int fd;
    bool is_open;
    uint64_t size_bytes;
    size_t n_segments;
    uint64_t *done;     /* bytes of each segment, from its start */
    uint64_t *recorded; /* of them, those that the record on disk knows */
} pml_hub_partial;

/* Takes over what was left for this blob, or begins with the file's space reserved. Errors: IO (no space too), MEMORY.
 */
pml_status pml_hub_partial_open(const pml_hub_cache *cache, const pml_hub_file *file, pml_hub_partial *partial,
                                pml_error *error) PML_WARN_UNUSED;
/* Keeps what is there for another time; removes it when nothing is. */
void pml_hub_partial_close(pml_hub_partial *partial);

uint64_t pml_hub_partial_segment_bytes(const pml_hub_partial *partial, size_t i_segment);
uint64_t pml_hub_partial_done_bytes(const pml_hub_partial *partial); /* of all segments */
/* Writes bytes that follow what their segments have; they may go on into the next, empty segment. Errors: IO. */
pml_status pml_hub_partial_write(pml_hub_partial *partial, uint64_t offset_bytes, const void *bytes, size_t size_bytes,
                                 pml_error *error) PML_WARN_UNUSED;
/* Forgets everything. Errors: IO. */
pml_status pml_hub_partial_restart(pml_hub_partial *partial, pml_error *error) PML_WARN_UNUSED;
/* The whole file becomes the blob; closes it, come what may. Errors: IO; NOT_FOUND (somebody took the file away). */
pml_status pml_hub_partial_commit(pml_hub_partial *partial, pml_error *error) PML_WARN_UNUSED;

/* Removes what dead processes left in blobs/ and no one will go on with: scratch files, and partial files of blobs that
 * are there, or that nobody touched for 30 days. Bytes on disk of those that stay for the files asked about go into
 * *kept_bytes. */
void pml_hub_partial_sweep(const pml_hub_cache *cache, const pml_hub_file *const *files, size_t n_files,
                           uint64_t *kept_bytes);

#endif
