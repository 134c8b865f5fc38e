/* The older container: pickles in a row (a magic number, a version, the writing machine, the checkpoint, the keys of
 * the storages), then each storage as its number of elements and its bytes. */
#include <string.h>

#include "formats/torch/container.h"
#include "runtime/base/alloc.h"
#include "runtime/base/bytes.h"
#include "runtime/base/checked.h"

enum { VERSION = 1001 };

/* Runs the pickle at *at and moves *at behind it. */
static pml_status run(const pml_torch_container *container, uint64_t *at, pml_pickle *pickle, uint32_t *root,
                      pml_error *error) {
    pml_status status = PML_OK;
    uint64_t rest = container->size_bytes - *at;
    size_t used_bytes;
    PML_TRY(pml_pickle_run(pickle, container->data + *at,
                           rest < PML_MAX_PICKLE_BYTES ? (size_t)rest : PML_MAX_PICKLE_BYTES, *at, container->path,
                           root, &used_bytes, error));
    *at += used_bytes;
done:
    return status;
}

/* Magic number, version and machine. */
static pml_status read_preamble(const pml_torch_container *container, uint64_t *at, pml_error *error) {
    pml_status status = PML_OK;
    pml_pickle pickle = {0};
    uint32_t root;
    if (container->size_bytes < PML_TORCH_ROW_MAGIC_BYTES ||
        memcmp(container->data, PML_TORCH_ROW_MAGIC, PML_TORCH_ROW_MAGIC_BYTES) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                         "%s: is neither an archive nor a row of pickles as torch.save writes them", container->path));
    }
    *at = PML_TORCH_ROW_MAGIC_BYTES;
    PML_TRY(run(container, at, &pickle, &root, error));
    const pml_pickle_value *version = pml_pickle_at(&pickle, root);
    if (version->kind != PML_PICKLE_INTEGER || version->integer != VERSION) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: a version of the container other than 1001", container->path));
    }
    pml_pickle_deinit(&pickle);
    PML_TRY(run(container, at, &pickle, &root, error));
    const pml_pickle_value *machine = pml_pickle_at(&pickle, root);
    bool is_little = false;
    for (uint32_t i = 0; machine->kind == PML_PICKLE_DICT && i + 1 < machine->count; i += 2) {
        const pml_pickle_value *value = pml_pickle_at(&pickle, machine->items[i + 1]);
        is_little = is_little || (pml_pickle_is_text(pml_pickle_at(&pickle, machine->items[i]), "little_endian") &&
                                  value->kind == PML_PICKLE_BOOL && value->integer != 0);
    }
    if (!is_little) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: its byte order is not little-endian", container->path));
    }
done:
    pml_pickle_deinit(&pickle);
    return status;
}

/* The storages that the checkpoint names, with their declared sizes; offsets come later. */
static pml_status list_storages(pml_torch_container *container, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < container->pickle.n_storages; i++) {
        pml_torch_storage storage;
        size_t i_key;
        bool is_new;
        status = pml_torch_storage_read(&container->pickle, container->pickle.storages[i], &storage, error);
        if (status != PML_OK) {
            PML_TRY(pml_error_prefix(error, status, "%s: a tensor", container->path));
        }
        if (memchr(storage.key, 0, storage.key_bytes) != NULL || storage.key_bytes > PML_MAX_NAME_BYTES) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: the key of a storage is malformed", container->path));
        }
        PML_TRY(pml_names_add(&container->keys, (const char *)storage.key, storage.key_bytes, PML_MAX_TENSORS,
                              "storages", &i_key, &is_new, error));
        struct pml_torch_row row = {.size_bytes = storage.size_bytes, .element_bytes = storage.element.size_bytes};
        if (!is_new && (container->rows[i_key].size_bytes != row.size_bytes ||
                        container->rows[i_key].element_bytes != row.element_bytes)) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: a storage is declared in two ways", container->path));
        }
        PML_TRY(pml_grow(&container->rows, &container->row_capacity, i_key + 1, sizeof *container->rows,
                         PML_MAX_TENSORS, "storages", error));
        container->rows[i_key] = row;
    }
done:
    return status;
}

/* Walks the storages in the order of the list of keys, from *at to the end of the file. */
static pml_status place_storages(pml_torch_container *container, const pml_pickle *pickle, uint32_t root, uint64_t at,
                                 pml_error *error) {
    pml_status status = PML_OK;
    const pml_pickle_value *list = pml_pickle_at(pickle, root);
    if (list->kind != PML_PICKLE_LIST || list->count != pml_names_count(&container->keys)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: the list of storages does not fit the checkpoint", container->path));
    }
    for (uint32_t i = 0; i < list->count; i++) {
        const pml_pickle_value *key = pml_pickle_at(pickle, list->items[i]);
        size_t i_key;
        if (key->kind != PML_PICKLE_TEXT ||
            !pml_names_find(&container->keys, (const char *)key->text, key->count, &i_key) ||
            container->rows[i_key].offset != 0) {
            PML_TRY(
                PML_FAIL(error, PML_E_FORMAT, "%s: the list of storages does not fit the checkpoint", container->path));
            goto done;
        }
        struct pml_torch_row *row = &container->rows[i_key];
        uint64_t size_bytes = row->size_bytes, stored_bytes;
        if (!pml_ck_range(at, 8, container->size_bytes) || !pml_ck_range(at + 8, size_bytes, container->size_bytes)) {
            PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, at, "%s: byte %llu: a storage reaches past the end of the file",
                                container->path, (unsigned long long)at));
        }
        if (!pml_ck_mul(pml_load_u64(container->data + at), row->element_bytes, &stored_bytes) ||
            stored_bytes != size_bytes) {
            PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, at, "%s: byte %llu: a storage of another size than is declared",
                                container->path, (unsigned long long)at));
        }
        row->offset = at + 8;
        at += 8 + size_bytes;
    }
    if (at != container->size_bytes) {
        PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, at, "%s: byte %llu: something follows the last storage",
                            container->path, (unsigned long long)at));
    }
done:
    return status;
}

pml_status pml_torch_row_open(pml_torch_container *container, pml_error *error) {
    pml_status status = PML_OK;
    pml_pickle keys = {0};
    uint32_t root;
    uint64_t at;
    PML_TRY(read_preamble(container, &at, error));
    PML_TRY(run(container, &at, &container->pickle, &container->root, error));
    PML_TRY(list_storages(container, error));
    PML_TRY(run(container, &at, &keys, &root, error));
    PML_TRY(place_storages(container, &keys, root, at, error));
done:
    pml_pickle_deinit(&keys);
    return status;
}
