/* The bytes of weights that do not stand in the file as they are wanted. */
#ifndef PML_FORMATS_ONNX_MAKE_H
#define PML_FORMATS_ONNX_MAKE_H

#include "formats/onnx/onnx_weights.h"

/* Decodes, dequantizes and transposes into `out`, as `weight` asks. Takes at most two more copies of the tensor on the
 * way. Errors: FORMAT, MEMORY. */
pml_status pml_onnx_make(pml_source *source, const pml_onnx_weight *weight, uint8_t *out,
                         pml_error *error) PML_WARN_UNUSED;

#endif
