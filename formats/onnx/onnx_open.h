/* Opens a model of a file that the source has already: what the provider, the tests and the fuzz harness share. */
#ifndef PML_FORMATS_ONNX_OPEN_H
#define PML_FORMATS_ONNX_OPEN_H

#include "formats/onnx/onnx_weights.h"

/* Adds the tensors of the model in file `i_file`, in one of the two views; `source` is of pml_format_onnx. Errors:
 * FORMAT, UNSUPPORTED, NOT_FOUND, IO, MEMORY. */
pml_status pml_onnx_open(pml_source *source, size_t i_file, pml_onnx_view view, pml_error *error) PML_WARN_UNUSED;

#endif
