/* Both ways of onnxruntime: static quantization leaves DequantizeLinear nodes, dynamic quantization a triple of names.
 * Every integer of up to 16 bits, less a zero point, is exact in float32, so that the product is rounded once: the bits
 * are those that the reference computes. */
#include "formats/onnx/onnx_quantized.h"

#include <stdio.h>
#include <string.h>

#include "formats/file_map.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/quote.h"

static const char QUANTIZED[] = "_quantized";

pml_status pml_onnx_quantized_refuse(const pml_onnx_model *model, const char *path, pml_error *error) {
    static const char *const ops[] = {"MatMulNBits", "MatMulBnb4", "GatherBlockQuantized", "MatMulFpQ4"};
    const Onnx__GraphProto *graph = model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++) {
        for (size_t j = 0; j < sizeof ops / sizeof ops[0]; j++) {
            if (pml_onnx_node_is(graph->node[i], ops[j])) {
                return PML_FAIL(error, PML_E_UNSUPPORTED,
                                "%s: holds weights quantized in blocks (%s); convert the original checkpoint", path,
                                ops[j]);
            }
        }
    }
    return PML_OK;
}

static bool is_integer(pml_dtype dtype) {
    return dtype == PML_DTYPE_I8 || dtype == PML_DTYPE_U8 || dtype == PML_DTYPE_I16 || dtype == PML_DTYPE_U16 ||
           dtype == PML_DTYPE_I32;
}

static const pml_onnx_tensor *tensor_of(const pml_onnx_graph *graph, const char *name) {
    const pml_onnx_value *value = pml_onnx_graph_find(graph, name);
    return value == NULL ? NULL : value->tensor;
}

/* The tensor called <base><ending>; NULL: none. */
static pml_status find_part(const pml_onnx_graph *graph, const char *base, const char *ending,
                            const pml_onnx_tensor **part, pml_error *error) {
    pml_status status = PML_OK;
    char *name = NULL;
    const size_t n_bytes = strlen(base) + strlen(ending) + 1;
    PML_TRY(pml_alloc(n_bytes, 1, &name, error));
    (void)snprintf(name, n_bytes, "%s%s", base, ending);
    *part = tensor_of(graph, name);
done:
    pml_free(name);
    return status;
}

/* A negative axis counts from the last one; the axis of a scale with one element does not matter. */
static unsigned place_axis(int64_t axis, unsigned rank) {
    axis += axis < 0 ? (int64_t)rank : 0;
    return axis < 0 || axis >= (int64_t)rank ? PML_MAX_RANK : (unsigned)axis;
}

static pml_status check_parts(const pml_onnx_weight *weight, const char *path, pml_error *error) {
    const pml_onnx_tensor *stored = weight->stored, *scale = weight->scale, *zero = weight->zero;
    const char *cause = NULL;
    const bool is_one = scale->n_elements == 1;
    if (scale->dtype != PML_DTYPE_F32) {
        cause = "its scale is not FLOAT";
    } else if (!is_one &&
               (scale->rank != 1 || weight->axis >= stored->rank || stored->shape[weight->axis] != scale->n_elements)) {
        cause = "its scale is neither one number nor one per row or column";
    } else if (zero != NULL && (zero->dtype != stored->dtype || zero->n_elements != scale->n_elements)) {
        cause = "its zero point does not go with its scale";
    }
    pml_quoted name;
    return cause == NULL ? PML_OK
                         : PML_FAIL(error, PML_E_UNSUPPORTED, "%s: quantized tensor %s: %s", path,
                                    pml_quote(&name, stored->name), cause);
}

pml_status pml_onnx_quantized_find(const pml_onnx_graph *graph, const pml_onnx_tensor *stored, const char *path,
                                   pml_onnx_weight *weight, char **base, pml_error *error) {
    pml_status status = PML_OK;
    const pml_onnx_value *value = pml_onnx_graph_find(graph, stored->name);
    const Onnx__NodeProto *user = value == NULL ? NULL : value->first_user;
    const bool has_ending = pml_name_ends_with(stored->name, QUANTIZED) && strlen(stored->name) >= sizeof QUANTIZED;
    PML_TRY(pml_string_copy(stored->name, strlen(stored->name) - (has_ending ? strlen(QUANTIZED) : 0), base, error));
    if (!is_integer(stored->dtype)) {
        goto done;
    }
    if (user != NULL && pml_onnx_node_is(user, "DequantizeLinear") && value->i_input == 0 && user->n_input >= 2) {
        weight->scale = tensor_of(graph, user->input[1]);
        weight->zero = user->n_input > 2 ? tensor_of(graph, user->input[2]) : NULL;
        weight->axis = place_axis(pml_onnx_node_integer(user, "axis", 1), stored->rank);
    } else if (has_ending) {
        const bool is_convolution =
            user != NULL && (pml_onnx_node_is(user, "ConvInteger") || pml_onnx_node_is(user, "QLinearConv"));
        PML_TRY(find_part(graph, *base, "_scale", &weight->scale, error));
        PML_TRY(find_part(graph, *base, "_zero_point", &weight->zero, error));
        weight->axis = place_axis(is_convolution ? 0 : -1, stored->rank);
    }
    if (weight->scale == NULL) {
        weight->zero = NULL;
        goto done;
    }
    PML_TRY(check_parts(weight, path, error));
done:
    return status;
}

pml_status pml_onnx_quantized_size(const pml_onnx_tensor *stored, uint64_t *size_bytes, pml_error *error) {
    return pml_ck_mul(stored->n_elements, sizeof(float), size_bytes)
               ? PML_OK
               : PML_FAIL(error, PML_E_FORMAT, "the size of a dequantized tensor overflows 64 bits");
}

void pml_onnx_quantized_restore(const pml_onnx_weight *weight, const uint8_t *quantized, const uint8_t *scales,
                                const uint8_t *zeros, uint8_t *out) {
    const pml_onnx_tensor *stored = weight->stored;
    const unsigned element_bytes = pml_dtype_bits(stored->dtype) / 8;
    const uint64_t n_scales = weight->scale->n_elements;
    const unsigned next_axis = n_scales > 1 ? weight->axis + 1 : stored->rank;
    uint64_t run = 1, in_run = 0, i_scale = 0; /* run: elements in a row that share a scale */
    const uint8_t *scale_at = scales, *zero_at = zeros;
    (void)pml_ck_product(stored->shape + next_axis, stored->rank - next_axis, &run); /* less than all elements */
    for (uint64_t i = 0; i < stored->n_elements; i++) {
        float scale;
        memcpy(&scale, scale_at, sizeof scale);
        const double zero = zeros == NULL ? 0 : pml_dtype_value(stored->dtype, zero_at);
        float value = (float)(pml_dtype_value(stored->dtype, quantized) - zero);
        value *= scale;
        memcpy(out, &value, sizeof value);
        quantized += element_bytes;
        out += sizeof value;
        if (n_scales > 1 && ++in_run == run) {
            const bool is_last = ++i_scale == n_scales;
            in_run = 0;
            i_scale = is_last ? 0 : i_scale;
            scale_at = is_last ? scales : scale_at + sizeof scale;
            zero_at = is_last || zeros == NULL ? zeros : zero_at + element_bytes;
        }
    }
}
