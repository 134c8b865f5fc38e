/* The names that exporters took away: a folded or transposed weight is called onnx::MatMul_123 or val_50, and only the
 * node that uses it still knows the module it belongs to. */
#ifndef PML_FORMATS_ONNX_NAMES_H
#define PML_FORMATS_ONNX_NAMES_H

#include "formats/onnx/onnx_graph.h"

typedef struct pml_onnx_name {
    char text[PML_MAX_NAME_BYTES + 1];
    bool is_transposed; /* stored [in,out], while the module of that name has [out,in] */
} pml_onnx_name;

/* True for a name that an exporter made up. */
bool pml_onnx_name_is_made_up(const char *name);

/* Finds what the framework calls a tensor of this graph name and shape, which is `stored` or stands for it (the result
 * of its dequantization); `base` is its name without what quantization added. False: it cannot be told. */
bool pml_onnx_name_recover(const pml_onnx_graph *graph, const pml_onnx_tensor *stored, const char *base,
                           pml_onnx_name *name);

#endif
