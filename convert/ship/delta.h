/* A delta, NAME.pml.delta: a .pml file told as its difference from an older one, tensor by tensor. Tensors whose bytes
 * are the old one's are references; what changed is packed by Zstandard with the old tensor's bytes as prefix, in
 * pieces of at most PML_DELTA_PIECE_BYTES, so that memory is bounded whatever the model's size.
 *
 *   offset  bytes
 *   0       8    "\x89PMD\r\n\x1a\n"
 *   8       4    version, 1
 *   12      4    number of pieces
 *   16      8    size of the new file
 *   24      8    size of the old file
 *   32      64   SHA-256 of the new file, hexadecimal digits
 *   96      64   SHA-256 of the old file
 *   160     8    XXH3-64 of the pieces' records
 *   168     48 each: u32 kind, u32 zero, u64 size of the content, u64 its XXH3-64, u64 offset in the old file, u64 size
 *                there (of a reference: that of the content; of the others: of the prefix), u64 packed size (of a
 *                reference: 0)
 *   then         the packed bytes of the pieces, one after the other, to the end of the file
 *
 * Kinds: 0 packed, 1 packed with a prefix, 2 reference. All numbers are little-endian. */
#ifndef PML_CONVERT_DELTA_H
#define PML_CONVERT_DELTA_H

#include "convert/ship/packed.h"

#define PML_DELTA_PIECE_BYTES ((uint64_t)16 << 20)

typedef struct pml_delta_report {
    pml_packed_report packed;
    uint64_t same_bytes; /* of the content: references */
} pml_delta_report;

/* Writes what makes `path` out of `old_path` to `target`; both are .pml files. Errors: those of pml_file_open and
 * pml_packed_write. */
pml_status pml_delta_write(const char *path, const char *old_path, const char *target, int level, bool replace,
                           pml_ship_progress_fn *progress, void *user, pml_delta_report *report,
                           pml_error *error) PML_WARN_UNUSED;

/* Opens a delta to restore the new file from it and the old one, which is hashed first. Both paths are borrowed.
 * Errors: NOT_FOUND, IO, FORMAT, MISMATCH (another old file than the delta was made from), INTERRUPTED, MEMORY. */
pml_status pml_delta_open(const char *path, const char *old_path, pml_pieces *pieces, pml_error *error) PML_WARN_UNUSED;

/* Whether a file begins as a delta does. Errors: NOT_FOUND, IO. */
pml_status pml_delta_probe(const char *path, bool *is_delta, pml_error *error) PML_WARN_UNUSED;

#endif
