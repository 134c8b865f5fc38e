/* An ONNX model as messages, and its tensors with the place of their elements. */
#ifndef PML_FORMATS_ONNX_MODEL_H
#define PML_FORMATS_ONNX_MODEL_H

#include <onnx.pb-c.h>

#include "formats/format.h"
#include "formats/onnx/onnx_filter.h"
#include "runtime/base/names.h"

typedef struct pml_onnx_tensor { /* names are owned by the model's messages */
    const char *name;            /* what nodes call it: an initializer's name, or the output of a Constant node */
    bool is_constant;            /* from a Constant node */
    pml_dtype dtype;
    unsigned rank;
    uint64_t shape[PML_MAX_RANK];
    uint64_t n_elements, size_bytes;
    unsigned i_file;
    uint64_t offset;           /* its bytes as they stand; is_typed: where the message begins */
    bool is_typed;             /* elements as numbers of the wire format (onnx_typed.h) */
    const pml_onnx_data *data; /* NULL: in a file of its own */
} pml_onnx_tensor;

typedef struct pml_onnx_model { /* all zero = empty, safe to deinit */
    Onnx__ModelProto *proto;    /* as pml_onnx_filter leaves it; never without a graph */
    pml_onnx_filtered filtered; /* its bytes are released once proto is made */
    pml_onnx_tensor *tensors;   /* initializers, then Constant nodes */
    size_t n_tensors, tensor_capacity;
    pml_names external; /* names of files beside the model */
    unsigned *external_files;
    size_t n_external, external_capacity;
} pml_onnx_model;

/* Reads the model in file `i_file` of `source`; adds the files beside it that hold tensors, which must lie in the same
 * directory (pml_source_add_sibling). Every tensor's elements lie inside their file and are as many as its shape says.
 * Errors: FORMAT, UNSUPPORTED (operator sets before 11, types that pml does not have, what pml_onnx_filter names),
 * NOT_FOUND, IO, MEMORY. */
pml_status pml_onnx_model_read(pml_source *source, size_t i_file, pml_onnx_model *model,
                               pml_error *error) PML_WARN_UNUSED;
void pml_onnx_model_deinit(pml_onnx_model *model);

#endif
