/* What the child says: records of one size, some with a text behind them. */
#ifndef PML_FORMATS_HDF5_HDF5_RECORD_H
#define PML_FORMATS_HDF5_HDF5_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/limits.h"

enum { PML_HDF5_TENSOR = 1, PML_HDF5_DATA = 2, PML_HDF5_REFUSED = 3, PML_HDF5_END = 4 };
enum { PML_HDF5_MAX_TEXT_BYTES = 1024 };

typedef struct pml_hdf5_record {
    uint32_t kind;
    uint32_t code;       /* TENSOR: pml_dtype; REFUSED: pml_status */
    uint32_t rank;       /* TENSOR */
    uint32_t is_made;    /* TENSOR: 1 or 0 */
    uint32_t text_bytes; /* TENSOR: the name, REFUSED: the cause; they follow, without a zero */
    uint32_t zero;
    uint64_t shape[PML_MAX_RANK];
    uint64_t offset_bytes; /* TENSOR that is not made: in the file */
    uint64_t size_bytes;   /* TENSOR: of shape and type; DATA: of the bytes that follow */
} pml_hdf5_record;

#endif
