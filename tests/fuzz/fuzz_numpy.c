/* One array or a zip file of them: what is accepted must keep every promise of formats/format.h. */
#include <stdlib.h>

#include "formats/numpy/numpy_open.h"
#include "formats/source.h"
#include "runtime/base/checked.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

extern const pml_format pml_format_numpy;

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes) {
    pml_source *source;
    size_t i_file;
    pml_error error = {0};
    volatile uint8_t sum = 0;
    if (pml_source_create("x", &pml_format_numpy, &source, NULL) != PML_OK) {
        return 0;
    }
    pml_status status = pml_source_add_memory(source, "x", bytes, size_bytes, &i_file, &error);
    status = status == PML_OK ? pml_numpy_open(source, i_file, &error) : status;
    status = status == PML_OK ? pml_source_sort(source, &error) : status;
    require(status == PML_OK || (error.code == status && error.message[0] == 'x'));
    for (size_t i = 0; status == PML_OK && i < pml_source_n_tensors(source); i++) {
        const pml_source_tensor *tensor = pml_source_tensor_at(source, i);
        const void *data = NULL;
        uint64_t n_elements = 0;
        require(tensor->rank <= PML_MAX_RANK && pml_ck_product(tensor->shape, tensor->rank, &n_elements));
        require(n_elements * pml_dtype_bits(tensor->dtype) == 8 * tensor->size_bytes);
        require(pml_source_tensor_find(source, tensor->name) == tensor);
        const pml_status viewed = pml_source_tensor_view(source, tensor, &data, &error);
        require(viewed == PML_OK || error.message[0] == 'x');
        for (uint64_t j = 0; viewed == PML_OK && j < tensor->size_bytes; j++) {
            sum = (uint8_t)(sum + ((const uint8_t *)data)[j]);
        }
        pml_source_tensor_release(source, tensor);
    }
    (void)sum;
    pml_source_close(source);
    return 0;
}
