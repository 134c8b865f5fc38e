/* An ONNX model, in both views: what is accepted must keep every promise of formats/format.h. */
#include <stdlib.h>
#include <string.h>

#include "formats/onnx/onnx_open.h"
#include "formats/source.h"
#include "runtime/base/checked.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

extern const pml_format pml_format_onnx;

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void check_tensors(pml_source *source) {
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
        const pml_source_tensor *tensor = pml_source_tensor_at(source, i);
        const void *data = NULL;
        uint64_t n_elements = 0;
        require(tensor->rank <= PML_MAX_RANK && pml_ck_product(tensor->shape, tensor->rank, &n_elements));
        require(n_elements * pml_dtype_bits(tensor->dtype) == 8 * tensor->size_bytes);
        require(pml_source_tensor_find(source, tensor->name) == tensor);
        pml_status status = pml_source_tensor_view(source, tensor, &data, NULL);
        require(status == PML_OK || status == PML_E_MEMORY);
        for (uint64_t j = 0; status == PML_OK && j < tensor->size_bytes; j++) {
            sum = (uint8_t)(sum + ((const uint8_t *)data)[j]);
        }
        pml_source_tensor_release(source, tensor);
    }
    (void)sum;
}

static void try_view(const uint8_t *bytes, size_t size_bytes, pml_onnx_view view) {
    pml_source *source;
    size_t i_file;
    pml_error error = {0};
    if (pml_source_create("x", &pml_format_onnx, &source, NULL) != PML_OK) {
        return;
    }
    pml_status status = pml_source_add_memory(source, "x", bytes, size_bytes, &i_file, &error);
    status = status == PML_OK ? pml_onnx_open(source, i_file, view, &error) : status;
    status = status == PML_OK ? pml_source_sort(source, &error) : status;
    if (status == PML_OK) {
        check_tensors(source);
    } else {
        require(error.code == status && error.message[0] == 'x');
    }
    pml_source_close(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes) {
    try_view(bytes, size_bytes, PML_ONNX_AS_STORED);
    try_view(bytes, size_bytes, PML_ONNX_AS_NAMED);
    return 0;
}
