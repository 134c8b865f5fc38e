/* Elements of a tensor in the typed fields of its message: float_data, int32_data, … */
#ifndef PML_FORMATS_ONNX_TYPED_H
#define PML_FORMATS_ONNX_TYPED_H

#include "formats/onnx/onnx_filter.h"
#include "runtime/base/dtype.h"

/* The field that holds elements of this dtype beside raw_data; 0: none. */
uint32_t pml_onnx_typed_field(pml_dtype dtype);
/* True when the elements stand in one run of little-endian bytes, *offset and *size_bytes, that need no decoding. */
bool pml_onnx_typed_is_plain(const pml_onnx_data *data, uint64_t *offset, uint64_t *size_bytes);
/* Decodes exactly `n_elements` of `dtype` into `out`; NULL only counts and checks them. `wire` is any message of the
 * file. Errors: FORMAT (another number of elements; a value that the dtype does not have; damaged). */
pml_status pml_onnx_typed_decode(const pml_wire *wire, const pml_onnx_data *data, pml_dtype dtype, uint64_t n_elements,
                                 void *out, pml_error *error) PML_WARN_UNUSED;

#endif
