/* Three steps, each left out where it has nothing to do; the last one writes to `out`. */
#include "formats/onnx/onnx_make.h"

#include <string.h>

#include "formats/onnx/onnx_quantized.h"
#include "formats/onnx/onnx_typed.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"

/* Rows and columns that a step of the transposition moves: both sides stay in the cache. */
enum { TILE_BITS = 5, TILE = 1 << TILE_BITS };

/* The tensor's own elements: where they lie, or decoded into *copy. */
static pml_status elements_of(pml_source *source, const pml_onnx_tensor *tensor, uint8_t **copy, const uint8_t **bytes,
                              pml_error *error) {
    pml_status status = PML_OK;
    const uint8_t *file = pml_source_file_data(source, tensor->i_file);
    size_t size_bytes;
    *bytes = file + tensor->offset;
    if (tensor->is_typed) {
        const pml_wire wire = {.bytes = file, .path = pml_source_file_path(source, tensor->i_file)};
        if (!pml_ck_size(tensor->size_bytes, &size_bytes)) {
            PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: a tensor is too large for this machine", wire.path));
        }
        PML_TRY(pml_alloc_aligned(size_bytes, (void **)copy, error));
        PML_TRY(pml_onnx_typed_decode(&wire, tensor->data, tensor->dtype, tensor->n_elements, *copy, error));
        *bytes = *copy;
    }
done:
    return status;
}

static pml_status restore(pml_source *source, const pml_onnx_weight *weight, const uint8_t *quantized, uint8_t *out,
                          pml_error *error) {
    pml_status status = PML_OK;
    uint8_t *scale_copy = NULL, *zero_copy = NULL;
    const uint8_t *scales, *zeros = NULL;
    PML_TRY(elements_of(source, weight->scale, &scale_copy, &scales, error));
    if (weight->zero != NULL) {
        PML_TRY(elements_of(source, weight->zero, &zero_copy, &zeros, error));
    }
    pml_onnx_quantized_restore(weight, quantized, scales, zeros, out);
done:
    pml_free(scale_copy);
    pml_free(zero_copy);
    return status;
}

typedef struct steps {           /* in bytes */
    size_t element, row, column; /* an element; a row of the input; a row of the output, which is a column of it */
} steps;

/* One tile, `in` and `out` at its first element. */
static void transpose_tile(const steps *step, const uint8_t *in, size_t n_rows, size_t n_columns, uint8_t *out) {
    for (size_t j = 0; j < n_columns; j++) {
        const uint8_t *from = in;
        uint8_t *to = out;
        for (size_t i = 0; i < n_rows; i++) {
            if (step->element == sizeof(float)) {
                memcpy(to, from, sizeof(float));
            } else {
                memcpy(to, from, step->element);
            }
            from += step->row;
            to += step->element;
        }
        in += step->element;
        out += step->column;
    }
}

/* [n_rows][n_columns] elements of `element` bytes to [n_columns][n_rows]; all of them fit the memory that they are in.
 */
static void transpose(const uint8_t *in, size_t n_rows, size_t n_columns, size_t element, uint8_t *out) {
    steps step = {.element = element};
    for (size_t j = 0; j < n_columns; j++) {
        step.row += element;
    }
    for (size_t i = 0; i < n_rows; i++) {
        step.column += element;
    }
    const uint8_t *in_row = in;
    uint8_t *out_column = out;
    for (size_t row = 0; row < n_rows; row += TILE) {
        const size_t n_tile_rows = n_rows - row < TILE ? n_rows - row : TILE;
        const uint8_t *in_tile = in_row;
        uint8_t *out_tile = out_column;
        for (size_t column = 0; column < n_columns; column += TILE) {
            const size_t n_tile_columns = n_columns - column < TILE ? n_columns - column : TILE;
            transpose_tile(&step, in_tile, n_tile_rows, n_tile_columns, out_tile);
            if (n_tile_columns == TILE) {
                in_tile += step.element << TILE_BITS;
                out_tile += step.column << TILE_BITS;
            }
        }
        if (n_tile_rows == TILE) {
            in_row += step.row << TILE_BITS;
            out_column += step.element << TILE_BITS;
        }
    }
}

pml_status pml_onnx_make(pml_source *source, const pml_onnx_weight *weight, uint8_t *out, pml_error *error) {
    pml_status status = PML_OK;
    const pml_onnx_tensor *stored = weight->stored;
    uint8_t *decoded = NULL, *restored = NULL;
    const uint8_t *bytes;
    size_t element_bytes = pml_dtype_bits(stored->dtype) / 8;
    uint64_t size_bytes = stored->size_bytes;
    if (stored->n_elements == 0) {
        goto done; /* its dimensions may be any numbers beside a zero */
    }
    PML_TRY(elements_of(source, stored, &decoded, &bytes, error));
    if (weight->scale != NULL) {
        PML_TRY(pml_onnx_quantized_size(stored, &size_bytes, error));
        element_bytes = sizeof(float);
        if (weight->is_transposed) {
            PML_TRY(pml_alloc_aligned((size_t)size_bytes, (void **)&restored, error));
        }
        uint8_t *to = weight->is_transposed ? restored : out;
        PML_TRY(restore(source, weight, bytes, to, error));
        bytes = to;
    }
    if (weight->is_transposed) {
        transpose(bytes, (size_t)stored->shape[0], (size_t)stored->shape[1], element_bytes, out);
    } else if (bytes != out) {
        memcpy(out, bytes, (size_t)size_bytes);
    }
done:
    pml_free(decoded);
    pml_free(restored);
    return status;
}
