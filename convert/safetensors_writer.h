/* Writing safetensors: what `selftest --out` leaves for other tools to read. F32 only, whole or not at all. */
#ifndef PML_CONVERT_SAFETENSORS_WRITER_H
#define PML_CONVERT_SAFETENSORS_WRITER_H

#include "runtime/base/error.h"
#include "runtime/base/limits.h"

typedef struct pml_safetensors_entry { /* borrowed */
    const char *name;                  /* UTF-8, not empty, no control characters */
    unsigned rank;                     /* <= PML_MAX_RANK */
    uint64_t shape[PML_MAX_RANK];
    const float *data; /* row-major, product of shape */
} pml_safetensors_entry;

/* Writes `entries` to `path` in ascending byte order of their names, header keys in that order too, the header padded
 * with blanks so that the data starts at a multiple of 8: the same entries give the same bytes. An existing file is
 * replaced atomically if `replace`. Errors: ARGUMENT (bad or duplicate name, rank, existing target), IO, MEMORY. */
pml_status pml_safetensors_write(const char *path, const pml_safetensors_entry *entries, size_t n_entries, bool replace,
                                 pml_error *error) PML_WARN_UNUSED;

#endif
