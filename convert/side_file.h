/* Small files read whole, so that what is parsed is exactly what is hashed. */
#ifndef PML_CONVERT_SIDE_FILE_H
#define PML_CONVERT_SIDE_FILE_H

#include "runtime/base/error.h"

/* Reads a regular file of at most `most_bytes`; *bytes (zero-terminated behind its end) is the caller's (pml_free).
 * Errors: NOT_FOUND, IO, FORMAT (too large, not a regular file), MEMORY. */
pml_status pml_side_file_read(const char *path, uint64_t most_bytes, char **bytes, size_t *size_bytes,
                              pml_error *error) PML_WARN_UNUSED;

#endif
