/* One safetensors file, or an index when the input begins as JSON: what is accepted must keep every promise of
 * formats/format.h. */
#include <stdlib.h>
#include <string.h>

#include "formats/file_map.h"
#include "formats/safetensors/header.h"
#include "formats/shard_index.h"
#include "formats/source.h"
#include "runtime/base/checked.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void check_tensors(pml_source *source, size_t size_bytes) {
    uint64_t covered_bytes = 8 + pml_safetensors_header_bytes(pml_source_file_data(source, 0));
    volatile uint8_t last = 0;
    for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
        const pml_source_tensor *tensor = pml_source_tensor_at(source, i);
        const void *data;
        uint64_t n_elements = 0;
        require(tensor->rank <= PML_MAX_RANK && pml_ck_product(tensor->shape, tensor->rank, &n_elements));
        require(n_elements * pml_dtype_bits(tensor->dtype) == 8 * tensor->size_bytes);
        require(pml_ck_range(tensor->offset_bytes, tensor->size_bytes, size_bytes));
        require(pml_source_tensor_find(source, tensor->name) == tensor);
        require(pml_source_tensor_view(source, tensor, &data, NULL) == PML_OK);
        if (tensor->size_bytes > 0) {
            last = ((const uint8_t *)data)[tensor->size_bytes - 1];
        }
        covered_bytes += tensor->size_bytes;
    }
    (void)last;
    require(covered_bytes == size_bytes);
    for (size_t i = 0; i < pml_source_n_attributes(source); i++) {
        const char *key, *value;
        pml_source_attribute_at(source, i, &key, &value);
        require(pml_source_attribute(source, key) == value);
    }
}

static void try_file(const uint8_t *bytes, size_t size_bytes) {
    pml_source *source;
    size_t i_file;
    pml_error error;
    if (pml_source_create("x", pml_formats[0], &source, NULL) != PML_OK) {
        return;
    }
    pml_status status = pml_source_add_memory(source, "x", bytes, size_bytes, &i_file, &error);
    status = status == PML_OK ? pml_safetensors_read_header(source, i_file, &error) : status;
    status = status == PML_OK ? pml_safetensors_check_coverage(source, &error) : status;
    if (status == PML_OK) {
        check_tensors(source, size_bytes);
    } else {
        require(error.code == status && error.message[0] == 'x');
        require(error.offset_bytes == PML_NO_OFFSET || status != PML_E_FORMAT ||
                error.offset_bytes < UINT64_C(1) << 49);
    }
    pml_source_close(source);
}

static void try_index(const uint8_t *bytes, size_t size_bytes) {
    pml_shard_index index = {0};
    if (pml_shard_index_parse(bytes, size_bytes, "x", &index, NULL) == PML_OK) {
        for (size_t i = 0; i < pml_names_count(&index.tensors); i++) {
            require(index.i_shards[i] < pml_names_count(&index.shards));
        }
        for (size_t i = 0; i < pml_names_count(&index.shards); i++) {
            require(pml_is_base_name(pml_names_at(&index.shards, i)));
        }
    }
    pml_shard_index_deinit(&index);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes) {
    if (size_bytes > 0 && bytes[0] == '{' && (size_bytes < 8 || bytes[7] != 0)) {
        try_index(bytes, size_bytes);
    } else {
        try_file(bytes, size_bytes);
    }
    return 0;
}
