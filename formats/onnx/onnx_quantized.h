/* Weights that are quantized already: integers with a scale and a zero point, w = (q - zero) * scale in float32. */
#ifndef PML_FORMATS_ONNX_QUANTIZED_H
#define PML_FORMATS_ONNX_QUANTIZED_H

#include "formats/onnx/onnx_weights.h"

/* Errors: UNSUPPORTED when the graph has nodes that compute with weights quantized in blocks. */
pml_status pml_onnx_quantized_refuse(const pml_onnx_model *model, const char *path, pml_error *error) PML_WARN_UNUSED;

/* Fills weight->scale, zero and axis when `stored` is such integers: a DequantizeLinear node reads them, or their names
 * are NAME_quantized, NAME_scale and NAME_zero_point. *base is the name of what they stand for, the caller's to free.
 * Errors: UNSUPPORTED (scales that are no float32, or neither one nor one per position of an axis), MEMORY. */
pml_status pml_onnx_quantized_find(const pml_onnx_graph *graph, const pml_onnx_tensor *stored, const char *path,
                                   pml_onnx_weight *weight, char **base, pml_error *error) PML_WARN_UNUSED;

/* The bytes of its elements in float32. Errors: FORMAT (overflow). */
pml_status pml_onnx_quantized_size(const pml_onnx_tensor *stored, uint64_t *size_bytes,
                                   pml_error *error) PML_WARN_UNUSED;

/* Computes the elements in float32. `quantized`, `scales` and `zeros` (NULL: zeros) are the bytes of the three tensors.
 */
void pml_onnx_quantized_restore(const pml_onnx_weight *weight, const uint8_t *quantized, const uint8_t *scales,
                                const uint8_t *zeros, uint8_t *out);

#endif
