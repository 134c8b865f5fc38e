/* The weights of a model: which tensors of the file they are made from, under the names of the framework. */
#ifndef PML_FORMATS_ONNX_WEIGHTS_H
#define PML_FORMATS_ONNX_WEIGHTS_H

#include "formats/onnx/onnx_graph.h"

typedef struct pml_onnx_weight {
    const pml_onnx_tensor *stored;
    const pml_onnx_tensor *scale, *zero; /* NULL: not quantized; without a zero point */
    unsigned axis;                       /* of a scale with more than one element */
    bool is_transposed;                  /* its two axes are swapped */
} pml_onnx_weight;

typedef struct pml_onnx_weights { /* all zero = empty, safe to deinit; borrows the model */
    pml_names names;              /* index = index into items */
    pml_onnx_weight *items;
    size_t n_items, capacity;
    size_t n_left_out, n_quantized, n_recovered;
} pml_onnx_weights;

typedef enum pml_onnx_view {
    PML_ONNX_AS_STORED, /* every tensor under its own name, that of a Constant node as "Constant:<output>" */
    PML_ONNX_AS_NAMED   /* the weights, as the framework had them: names recovered, [out,in] restored, dequantized;
                         * numbers that only steer the computation are left out */
} pml_onnx_view;

/* Decides what the tensors of `model` are and adds them to `source`, whose format makes those that need it. Errors:
 * FORMAT (two tensors of one name), UNSUPPORTED (quantized in blocks or with scales of another type), MEMORY. */
pml_status pml_onnx_weights_add(const pml_onnx_model *model, pml_onnx_view view, pml_source *source,
                                pml_onnx_weights *weights, pml_error *error) PML_WARN_UNUSED;
void pml_onnx_weights_deinit(pml_onnx_weights *weights);

#endif
