/* A packed model file, NAME.pml.zst: independent Zstandard frames of at most PML_FRAME_BYTES of content each, so that
 * memory is bounded, pieces can be restored alone, and `zstd -d` gives the file back. Two skippable frames, which zstd
 * passes over, say more:
 *
 *   first   magic 0x184D2A50, length 80: "PMLSHIP1", u64 size of the content, its SHA-256 as 64 hexadecimal digits
 *   last    the table of Zstandard's seekable format (contrib/seekable_format in its repository): magic 0x184D2A5E, one
 *           row of three u32 per frame (packed size, content size, low 32 bits of the content's XXH64), then u32 number
 *           of frames, u8 0x80, u32 0x8F92EAB1
 *
 * All numbers are little-endian. */
#ifndef PML_CONVERT_PACKED_H
#define PML_CONVERT_PACKED_H

#include "convert/hash.h"
#include "convert/ship/pieces.h"

#define PML_FRAME_BYTES ((uint64_t)32 << 20)

/* Told how many bytes of the content are done. */
typedef void pml_ship_progress_fn(void *user, uint64_t done_bytes);

typedef struct pml_packed_report {
    uint64_t content_bytes, packed_bytes;
    char sha256[PML_SHA256_TEXT_BYTES]; /* of the content */
} pml_packed_report;

/* Packs the file at `path` to `target`, published whole or not at all. `level` is Zstandard's, 1 to 19.
 * Errors: NOT_FOUND, IO, ARGUMENT (the target exists and `replace` is false), INTERRUPTED, MEMORY. */
pml_status pml_packed_write(const char *path, const char *target, int level, bool replace,
                            pml_ship_progress_fn *progress, void *user, pml_packed_report *report,
                            pml_error *error) PML_WARN_UNUSED;

/* Opens a packed file to restore it from; `path` is borrowed. Errors: NOT_FOUND, IO, FORMAT, UNSUPPORTED (Zstandard,
 * but not packed by this program), MEMORY. */
pml_status pml_packed_open(const char *path, pml_pieces *pieces, pml_error *error) PML_WARN_UNUSED;

#endif
