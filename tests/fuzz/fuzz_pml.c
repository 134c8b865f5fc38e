/* The .pml reader over arbitrary bytes. A file with the right magic first gets a file size and a head checksum that
 * fit, as an attacker would give it, so that mutations reach what lies behind them. Whatever opens is verified and
 * walked through. */
#include <stdlib.h>
#include <string.h>

#include "runtime/file/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void make_fit(uint8_t *bytes, size_t size_bytes) {
    if (size_bytes < PML_HEADER_BYTES || memcmp(bytes, PML_MAGIC, PML_MAGIC_BYTES) != 0) {
        return;
    }
    pml_store_u64(bytes + 24, size_bytes);
    uint64_t head_bytes = pml_load_u64(bytes + 144);
    if (head_bytes >= PML_HEADER_BYTES && head_bytes <= size_bytes) {
        pml_store_u64(bytes + PML_CHECKSUM_OFFSET, pml_head_checksum(bytes, (size_t)head_bytes));
    }
}

/* Uses everything that an open file hands out; any of it wrong is a bug. */
static void walk(const pml_file *file, const uint8_t *bytes, size_t size_bytes) {
    const uint8_t *end = bytes + size_bytes;
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        const pml_file_tensor *tensor = pml_file_tensor_at(file, i);
        const uint8_t *data = pml_file_tensor_data(file, tensor);
        bool is_inside = data >= bytes && data <= end && tensor->size_bytes <= (uint64_t)(end - data);
        if (!is_inside || pml_file_tensor_find(file, tensor->name) != tensor || strlen(tensor->transforms) > 1024) {
            abort();
        }
    }
    for (size_t i = 0; i < pml_file_n_blobs(file); i++) {
        const pml_file_blob *blob = pml_file_blob_at(file, i);
        if (blob->data < bytes || blob->data > end || blob->size_bytes > (uint64_t)(end - blob->data) ||
            pml_file_blob_find(file, blob->name) != blob) {
            abort();
        }
    }
    const pml_metadata *m = pml_file_metadata(file);
    for (size_t i = 0; i < pml_metadata_count(m); i++) {
        const pml_meta_entry *entry = pml_metadata_at(m, i);
        if (pml_metadata_find(m, entry->key) != entry) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes) {
    uint8_t *copy = malloc(size_bytes == 0 ? 1 : size_bytes);
    pml_file *file = NULL;
    pml_error error;
    if (copy == NULL) {
        return 0;
    }
    if (size_bytes > 0) {
        memcpy(copy, bytes, size_bytes);
    }
    make_fit(copy, size_bytes);
    if (pml_file_parse(copy, size_bytes, "fuzz.pml", &file, &error) == PML_OK) {
        (void)pml_file_verify(file, &error);
        walk(file, copy, size_bytes);
        pml_file_close(file);
    }
    free(copy);
    return 0;
}
