/* Elements of an array in C order and little-endian. */
#ifndef PML_FORMATS_NUMPY_NPY_ORDER_H
#define PML_FORMATS_NUMPY_NPY_ORDER_H

#include "formats/numpy/npy_header.h"

/* Copies the elements at `in`, `n_elements` as `header` says, to `out`. */
void pml_npy_order(const pml_npy_header *header, const uint8_t *in, uint64_t n_elements, uint8_t *out);

#endif
