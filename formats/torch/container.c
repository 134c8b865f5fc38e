#include "formats/torch/container.h"

#include <string.h>

#include "runtime/base/alloc.h"

enum { TAR_MAGIC_AT = 257 };

pml_status pml_torch_container_open(const uint8_t *data, uint64_t size_bytes, const char *path,
                                    pml_torch_container *container, pml_error *error) {
    *container = (pml_torch_container){.path = path, .data = data, .size_bytes = size_bytes};
    static const char script[] = "PYTORCH1", tar[] = "ustar";
    if (size_bytes >= 8 && memcmp(data, script, 8) == 0) {
        return PML_FAIL(error, PML_E_UNSUPPORTED,
                        "%s: is a TorchScript file of PyTorch 1.0 (PYTORCH1): save the state_dict with torch.save",
                        path);
    }
    if (size_bytes >= TAR_MAGIC_AT + 5 && memcmp(data + TAR_MAGIC_AT, tar, 5) == 0) {
        return PML_FAIL(error, PML_E_UNSUPPORTED,
                        "%s: is a tar file, as PyTorch wrote before version 0.1.10: load it there and save it again",
                        path);
    }
    container->is_archive = pml_zip_is_archive(data, size_bytes < 4 ? (size_t)size_bytes : 4);
    return container->is_archive ? pml_torch_archive_open(container, error) : pml_torch_row_open(container, error);
}

void pml_torch_container_forget(pml_torch_container *container) {
    pml_pickle_deinit(&container->pickle);
    pml_names_deinit(&container->keys);
    pml_free(container->inflated);
    pml_free(container->is_checked);
    pml_free(container->rows);
    container->inflated = NULL;
    container->is_checked = NULL;
    container->rows = NULL;
}

void pml_torch_container_deinit(pml_torch_container *container) {
    pml_torch_container_forget(container);
    pml_zip_deinit(&container->zip);
    *container = (pml_torch_container){0};
}

pml_status pml_torch_container_place(pml_torch_container *container, const pml_torch_storage *storage,
                                     pml_torch_place *place, pml_error *error) {
    pml_status status = PML_OK;
    char key[PML_MAX_NAME_BYTES + 1];
    size_t i_key;
    if (storage->key_bytes > PML_MAX_NAME_BYTES || memchr(storage->key, 0, storage->key_bytes) != NULL) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "the key of its storage is malformed"));
    }
    memcpy(key, storage->key, storage->key_bytes);
    key[storage->key_bytes] = '\0';
    if (container->is_archive) {
        PML_TRY(pml_torch_archive_place(container, key, storage->size_bytes, place, error));
        goto done;
    }
    if (!pml_names_find(&container->keys, key, storage->key_bytes, &i_key)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "its storage is missing"));
    }
    if (container->rows[i_key].size_bytes != storage->size_bytes) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "its storage holds %llu bytes, not the %llu that are declared",
                         (unsigned long long)container->rows[i_key].size_bytes,
                         (unsigned long long)storage->size_bytes));
    }
    *place = (pml_torch_place){.data_offset = container->rows[i_key].offset};
done:
    return status;
}
