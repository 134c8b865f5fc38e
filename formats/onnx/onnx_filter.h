/* What pml looks at in an ONNX model, as a message of its own: the graph without the data of its tensors, without
 * subgraphs, functions, types and descriptions.
 *
 * A parser of messages copies all that it reads. It is handed this copy, which is small whatever the weights weigh,
 * holds nothing that nests without end, and is well-formed. In place of its data each tensor has its number in
 * raw_data: four bytes, the index into `data`. */
#ifndef PML_FORMATS_ONNX_FILTER_H
#define PML_FORMATS_ONNX_FILTER_H

#include "formats/onnx/onnx_wire.h"

typedef struct pml_onnx_data { /* where a tensor's elements stand in the file */
    uint64_t begin, end;       /* the whole TensorProto */
    bool has_raw;
    uint64_t raw_offset, raw_bytes; /* raw_data */
    uint32_t typed_field;           /* the number of the field that holds elements beside it; 0: none */
    uint64_t n_runs;                /* fields of that number, packed or not */
    uint64_t run_offset, run_bytes; /* the last of them */
    pml_wire_type run_type;
} pml_onnx_data;

typedef struct pml_onnx_filtered { /* all zero = empty, safe to deinit */
    uint8_t *bytes;
    size_t n_bytes, capacity;
    pml_onnx_data *data;
    size_t n_data, data_capacity;
    size_t n_parts;   /* messages and texts */
    const char *path; /* for messages */
} pml_onnx_filtered;

/* Errors: FORMAT (damaged, a limit passed, text that is no UTF-8, a message twice that stands once), UNSUPPORTED
 * (sparse tensors, tensors in segments, more than PML_MAX_RANK dimensions), MEMORY. */
pml_status pml_onnx_filter(const pml_wire *model, pml_onnx_filtered *filtered, pml_error *error) PML_WARN_UNUSED;
void pml_onnx_filtered_deinit(pml_onnx_filtered *filtered);

#endif
