#include "runtime/tensor/tensor.h"

#include <assert.h>
#include <string.h>

#include "runtime/base/checked.h"

static size_t product(const size_t *shape, unsigned rank) {
    size_t count = 1;
    for (unsigned i = 0; i < rank; i++) {
        count *= shape[i];
    }
    return count;
}

pml_status pml_tensor_view_file(const pml_file *file, const pml_file_tensor *source, pml_buffer *buffer,
                                pml_tensor *tensor, pml_error *error) {
    pml_tensor view = {
        .dtype = source->dtype, .layout = source->layout, .rank = source->rank, .buffer = buffer, .is_constant = true};
    size_t size_bytes = 0;
    bool fits = pml_ck_size(source->size_bytes, &size_bytes) && source->rank <= PML_MAX_RANK;
    for (unsigned i = 0; fits && i < source->rank; i++) {
        fits = pml_ck_size(source->shape[i], &view.shape[i]);
    }
    if (!fits) {
        return PML_FAIL_AT(error, PML_E_FORMAT, source->offset_bytes,
                           "%s: tensor '%s' is larger than this machine can address", pml_file_path(file),
                           source->name);
    }
    /* The map is read-only; is_constant keeps writers away from the pointer that loses its const here. */
    buffer->host = (void *)(uintptr_t)pml_file_tensor_data(file, source);
    buffer->device = NULL;
    buffer->newer = PML_SIDE_BOTH;
    buffer->size_bytes = size_bytes;
    if (source->dtype == PML_DTYPE_I8) {
        view.quantization = (pml_quantization){.scales = pml_file_extent_data(file, &source->scales),
                                               .sums = pml_file_extent_data(file, &source->sums),
                                               .group_rows = source->group_rows,
                                               .scale_factor = source->scale_factor};
    }
    *tensor = view;
    return PML_OK;
}

const void *pml_tensor_bytes(const pml_tensor *tensor) {
    return (const char *)tensor->buffer->host + tensor->offset_bytes;
}

float *pml_tensor_f32(const pml_tensor *tensor) {
    assert(!tensor->is_constant);
    assert(tensor->dtype == PML_DTYPE_F32 && tensor->layout == PML_LAYOUT_ROW);
    return (float *)(void *)((char *)tensor->buffer->host + tensor->offset_bytes);
}

const float *pml_tensor_f32_const(const pml_tensor *tensor) {
    assert(tensor->dtype == PML_DTYPE_F32 && tensor->layout == PML_LAYOUT_ROW);
    return pml_tensor_bytes(tensor);
}

size_t pml_tensor_count(const pml_tensor *tensor) {
    return product(tensor->shape, tensor->rank);
}

size_t pml_tensor_rows(const pml_tensor *tensor) {
    return tensor->rank == 0 ? 1 : product(tensor->shape, tensor->rank - 1);
}

size_t pml_tensor_columns(const pml_tensor *tensor) {
    return tensor->rank == 0 ? 1 : tensor->shape[tensor->rank - 1];
}

size_t pml_tensor_n_matrices(const pml_tensor *tensor) {
    assert(tensor->rank >= 2);
    return product(tensor->shape, tensor->rank - 2);
}

size_t pml_tensor_matrix_bytes(const pml_tensor *tensor) {
    assert(tensor->rank >= 2);
    size_t n_in = tensor->shape[tensor->rank - 2];
    size_t n_out = tensor->shape[tensor->rank - 1];
    if (tensor->layout == PML_LAYOUT_PANEL) {
        size_t depth = pml_panel_depth(tensor->dtype);
        assert(depth > 0);
        size_t n_panels = n_out / PML_PANEL_COLUMNS + (n_out % PML_PANEL_COLUMNS != 0);
        size_t n_lines = n_in / depth + (n_in % depth != 0);
        return n_panels * n_lines * PML_TENSOR_ALIGNMENT_BYTES;
    }
    return n_in * n_out * (pml_dtype_bits(tensor->dtype) / 8);
}

const void *pml_tensor_matrix(const pml_tensor *tensor, size_t i_matrix) {
    assert(i_matrix < pml_tensor_n_matrices(tensor));
    return (const char *)pml_tensor_bytes(tensor) + i_matrix * pml_tensor_matrix_bytes(tensor);
}

size_t pml_tensor_n_groups(const pml_tensor *tensor) {
    const size_t n_in = tensor->shape[tensor->rank - 2], rows = tensor->quantization.group_rows;
    return rows == 0 ? 1 : n_in / rows + (n_in % rows != 0);
}

pml_quantization pml_tensor_quantization(const pml_tensor *tensor, size_t i_matrix) {
    assert(tensor->dtype == PML_DTYPE_I8 && i_matrix < pml_tensor_n_matrices(tensor));
    pml_quantization result = tensor->quantization;
    const size_t n_out = tensor->shape[tensor->rank - 1];
    const size_t n_panels = n_out / PML_PANEL_COLUMNS + (n_out % PML_PANEL_COLUMNS != 0);
    const size_t each_bytes = result.group_rows == 0 ? 4 : 2;
    const size_t skip_bytes = i_matrix * n_panels * pml_tensor_n_groups(tensor) * PML_PANEL_COLUMNS * each_bytes;
    result.scales = (const char *)result.scales + skip_bytes;
    result.sums = (const char *)result.sums + skip_bytes;
    return result;
}

pml_status pml_tensor_reshape_view(const pml_tensor *tensor, const size_t *shape, unsigned rank, pml_tensor *view,
                                   pml_error *error) {
    if (rank > PML_MAX_RANK) {
        return PML_FAIL(error, PML_E_ARGUMENT, "a tensor cannot have rank %u", rank);
    }
    if (tensor->layout != PML_LAYOUT_ROW) {
        return PML_FAIL(error, PML_E_ARGUMENT, "a tensor in layout %s has no other shape",
                        pml_layout_name(tensor->layout));
    }
    uint64_t count = 1;
    bool fits = true;
    for (unsigned i = 0; i < rank; i++) {
        fits = fits && pml_ck_mul(count, shape[i], &count);
    }
    if (!fits || count != pml_tensor_count(tensor)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "the new shape does not have the tensor's %zu elements",
                        pml_tensor_count(tensor));
    }
    pml_tensor result = *tensor;
    result.rank = rank;
    memset(result.shape, 0, sizeof result.shape);
    if (rank > 0) {
        memcpy(result.shape, shape, rank * sizeof *shape);
    }
    *view = result;
    return PML_OK;
}
