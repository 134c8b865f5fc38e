/* The header of a .npy file: dtype, order and shape, as a Python dictionary in text. */
#ifndef PML_FORMATS_NUMPY_NPY_HEADER_H
#define PML_FORMATS_NUMPY_NPY_HEADER_H

#include "runtime/base/dtype.h"
#include "runtime/base/error.h"
#include "runtime/base/limits.h"

/* What a header may take, its length field included; NumPy itself asks for consent beyond 10000 bytes. */
enum { PML_NPY_MAX_HEADER_BYTES = 65536 };

typedef struct pml_npy_header {
    pml_dtype dtype;
    unsigned rank;
    uint64_t shape[PML_MAX_RANK];
    bool is_fortran;       /* the first axis runs fastest in the file; never for arrays where that says nothing */
    unsigned swap_bytes;   /* numbers of that many bytes are big-endian; 0: none are */
    uint64_t header_bytes; /* the elements begin behind them */
} pml_npy_header;

bool pml_npy_is_array(const uint8_t *bytes, size_t n_bytes);

/* Reads the header of versions 1, 2 and 3 at `bytes`, of which the first `n_bytes` are there (up to
 * PML_NPY_MAX_HEADER_BYTES, or all). `shown` is what messages call the file or member. Strict: the three keys, each
 * once, and nothing else. Errors: FORMAT, UNSUPPORTED (objects, structures, text and other dtypes that pml does not
 * have, more than PML_MAX_RANK dimensions). */
pml_status pml_npy_header_read(const uint8_t *bytes, size_t n_bytes, const char *shown, pml_npy_header *header,
                               pml_error *error) PML_WARN_UNUSED;

#endif
