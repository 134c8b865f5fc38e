/* What restoring a shipped file works on: its content as a row of pieces, each made and checked alone. Packed files and
 * deltas both are opened as this. */
#ifndef PML_CONVERT_PIECES_H
#define PML_CONVERT_PIECES_H

#include "convert/hash.h"
#include "runtime/base/input.h"

#define PML_MAX_PIECES 16777216u

typedef struct pml_piece {
    uint64_t size_bytes; /* of content, > 0 */
    uint64_t checksum;   /* of content, see is_intact */
} pml_piece;

typedef struct pml_pieces {
    const char *path; /* of the shipped file, borrowed */
    uint64_t content_bytes;
    char sha256[PML_SHA256_TEXT_BYTES]; /* of the content */
    pml_piece *items;                   /* in the order of the content */
    size_t count;
    uint64_t most_bytes; /* the largest piece */
    /* Fills `content` with piece i. Errors: FORMAT, MEMORY. */
    pml_status (*make)(const struct pml_pieces *pieces, size_t i, uint8_t *content, pml_error *error);
    /* Whether these bytes are piece i, by its checksum. */
    bool (*is_intact)(const struct pml_pieces *pieces, size_t i, const uint8_t *content);

    /* private to the kind */
    pml_file_map map, old;
    void *rows;
    void *context; /* of decompression */
} pml_pieces;

void pml_pieces_close(pml_pieces *pieces); /* zeroed or opened */

typedef struct pml_restore_report {
    uint64_t kept_bytes; /* found from an earlier, interrupted run, and right */
} pml_restore_report;

/* Restores the content to `target`. An interrupted run leaves ".<name>.part" beside it and the next one goes on from
 * what of it is right. The target appears only once its SHA-256 is right. Errors: ARGUMENT (it exists and `replace` is
 * false), BUSY (another process restores it), FORMAT, MISMATCH (the hash), IO, INTERRUPTED, MEMORY. */
pml_status pml_pieces_restore(const pml_pieces *pieces, const char *target, bool replace,
                              void (*progress)(void *user, uint64_t done_bytes), void *user, pml_restore_report *report,
                              pml_error *error) PML_WARN_UNUSED;

#endif
