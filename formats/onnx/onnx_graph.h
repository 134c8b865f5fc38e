/* Who uses a value of the graph: names of values, with the tensor that each is and the first node that takes it. */
#ifndef PML_FORMATS_ONNX_GRAPH_H
#define PML_FORMATS_ONNX_GRAPH_H

#include "formats/onnx/onnx_model.h"

typedef struct pml_onnx_value {
    const pml_onnx_tensor *tensor;     /* NULL: computed */
    const Onnx__NodeProto *first_user; /* NULL: none */
    size_t i_input;                    /* of it */
} pml_onnx_value;

typedef struct pml_onnx_graph { /* all zero = empty, safe to deinit; borrows the model */
    const pml_onnx_model *model;
    pml_names names; /* index = index into values */
    pml_onnx_value *values;
    size_t n_values, capacity;
} pml_onnx_graph;

/* Errors: FORMAT (two tensors of one name), MEMORY. */
pml_status pml_onnx_graph_build(const pml_onnx_model *model, const char *path, pml_onnx_graph *graph,
                                pml_error *error) PML_WARN_UNUSED;
void pml_onnx_graph_deinit(pml_onnx_graph *graph);

/* NULL: no value has that name. */
const pml_onnx_value *pml_onnx_graph_find(const pml_onnx_graph *graph, const char *name);
/* The node that computes with the value, which may pass through nodes of the types in `passed` (NULL-terminated) on its
 * way; *i_input is where. NULL: none. */
const Onnx__NodeProto *pml_onnx_graph_user(const pml_onnx_graph *graph, const char *name, const char *const *passed,
                                           size_t *i_input);
bool pml_onnx_node_is(const Onnx__NodeProto *node, const char *op_type);
/* The integer attribute of that name, or `fallback`. */
int64_t pml_onnx_node_integer(const Onnx__NodeProto *node, const char *name, int64_t fallback);

#endif
