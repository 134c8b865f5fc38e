/* Writing safetensors, whole or not at all: of tensors that are there (what `selftest --out` leaves for other tools),
 * or of tensors that are made while they are written (what `export` writes). */
#ifndef PML_CONVERT_SAFETENSORS_WRITER_H
#define PML_CONVERT_SAFETENSORS_WRITER_H

#include "runtime/base/dtype.h"
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

typedef struct pml_safetensors_tensor { /* borrowed */
    const char *name;                   /* as above */
    pml_dtype dtype;                    /* of whole bytes */
    unsigned rank;
    uint64_t shape[PML_MAX_RANK];
} pml_safetensors_tensor;

typedef struct pml_safetensors_sink pml_safetensors_sink;
/* Takes the next bytes of a tensor. Errors: ARGUMENT (more than it has), those of pml_publish_write. */
pml_status pml_safetensors_put(pml_safetensors_sink *sink, const void *bytes, size_t size_bytes,
                               pml_error *error) PML_WARN_UNUSED;

typedef struct pml_safetensors_job {
    const pml_safetensors_tensor *tensors;
    size_t n_tensors;
    const char *format; /* "__metadata__": {"format": …}; NULL: none */
    /* Puts exactly the bytes of tensors[i_tensor], row-major. */
    pml_status (*produce)(void *user, size_t i_tensor, pml_safetensors_sink *sink, pml_error *error);
    void *user;
} pml_safetensors_job;

/* Greater elements first, so that all are aligned, then in ascending byte order of names; otherwise as
 * pml_safetensors_write. Nothing of a tensor is kept. Errors also: what `produce` returns. */
pml_status pml_safetensors_stream(const char *path, const pml_safetensors_job *job, bool replace,
                                  pml_error *error) PML_WARN_UNUSED;

#endif
