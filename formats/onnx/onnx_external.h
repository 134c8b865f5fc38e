/* Tensors that lie in a file beside the model. */
#ifndef PML_FORMATS_ONNX_EXTERNAL_H
#define PML_FORMATS_ONNX_EXTERNAL_H

#include "formats/onnx/onnx_model.h"

typedef struct pml_onnx_place {
    unsigned i_file;
    uint64_t offset;
} pml_onnx_place;

/* Finds the `size_bytes` of a tensor whose data_location is EXTERNAL, and adds their file to `source` the first time
 * that it is named. Keys that ONNX does not define are passed over; offset and length are plain decimal numbers.
 * Errors: FORMAT (a location that is no file of the same directory, another length, past the end), NOT_FOUND, IO,
 * MEMORY. */
pml_status pml_onnx_place_read(pml_source *source, pml_onnx_model *model, const Onnx__TensorProto *proto,
                               uint64_t size_bytes, pml_onnx_place *place, pml_error *error) PML_WARN_UNUSED;

#endif
