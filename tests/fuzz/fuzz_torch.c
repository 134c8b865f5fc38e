/* A PyTorch file: an archive, a row of pickles, or, for any other input, an archive around the input as its pickle, so
 * that no checksum keeps mutations from the pickle's machine. What is accepted must keep the promises of
 * formats/format.h. */
#include <stdlib.h>
#include <string.h>

#include "formats/source.h"
#include "formats/torch/checkpoint.h"
#include "runtime/base/checked.h"
#include "tests/formats/zip_builder.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void check_source(pml_source *source) {
    volatile uint8_t last = 0;
    for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
        const pml_source_tensor *tensor = pml_source_tensor_at(source, i);
        const void *data;
        uint64_t n_elements = 0;
        pml_error error;
        require(tensor->rank <= PML_MAX_RANK && pml_ck_product(tensor->shape, tensor->rank, &n_elements));
        require(n_elements * pml_dtype_bits(tensor->dtype) == 8 * tensor->size_bytes);
        require(pml_source_tensor_find(source, tensor->name) == tensor);
        pml_status status = pml_source_tensor_view(source, tensor, &data, &error);
        require(status == PML_OK || tensor->is_made);
        if (status == PML_OK && tensor->size_bytes > 0) {
            last = ((const uint8_t *)data)[tensor->size_bytes - 1];
        }
        pml_source_tensor_release(source, tensor);
    }
    (void)last;
    for (size_t i = 0; i < pml_source_n_attributes(source); i++) {
        const char *key, *value;
        pml_source_attribute_at(source, i, &key, &value);
        require(value[0] == '{' && value[strlen(value) - 1] == '}');
    }
}

static void try_file(const uint8_t *bytes, size_t size_bytes) {
    extern const pml_format pml_format_torch;
    pml_source *source;
    size_t i_file;
    pml_error error;
    if (pml_source_create("x", &pml_format_torch, &source, NULL) != PML_OK) {
        return;
    }
    pml_status status = pml_source_add_memory(source, "x", bytes, size_bytes, &i_file, &error);
    status = status == PML_OK ? pml_torch_file_open(source, i_file, &error) : status;
    status = status == PML_OK ? pml_source_sort(source, &error) : status;
    if (status == PML_OK) {
        check_source(source);
    } else {
        require(error.code == status && error.message[0] != '\0');
    }
    pml_source_close(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes) {
    if ((size_bytes >= 2 && memcmp(bytes, "PK", 2) == 0) ||
        (size_bytes >= PML_TORCH_ROW_MAGIC_BYTES &&
         memcmp(bytes, PML_TORCH_ROW_MAGIC, PML_TORCH_ROW_MAGIC_BYTES) == 0)) {
        try_file(bytes, size_bytes);
        return 0;
    }
    static const uint8_t storage[256];
    pml_zip_builder built;
    const pml_zip_part parts[] = {
        {"x/data.pkl", bytes, size_bytes, size_bytes % 2 != 0},
        {"x/data/0", storage, 24, false},
        {"x/data/1", storage, 8, true},
        {"x/data/2", storage, 96, false},
    };
    pml_zip_build(&built, parts, sizeof parts / sizeof parts[0]);
    try_file(built.bytes, built.size_bytes);
    free(built.bytes);
    return 0;
}
