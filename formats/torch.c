/* PyTorch: what torch.save writes, one file or shards with an index. Parts: torch/container.c (the file),
 * torch/pickle.c (its values), torch/checkpoint.c (which of them are weights), torch/view.c (where a tensor's elements
 * lie). */
#include <string.h>

#include "formats/file_map.h"
#include "formats/shard_index.h"
#include "formats/torch/checkpoint.h"
#include "runtime/base/alloc.h"

static const char index_ending[] = ".bin.index.json";

static bool has_known_ending(const char *name) {
    return pml_name_ends_with(name, ".bin") || pml_name_ends_with(name, ".pth") || pml_name_ends_with(name, ".pt") ||
           pml_name_ends_with(name, ".ckpt");
}

/* True when the archive's first entry is PREFIX/data.pkl, as torch.save puts it. */
static bool begins_with_pickle(const pml_probe *probe) {
    enum { NAME_AT = 30 };
    static const char name[] = "/data.pkl";
    size_t most = probe->head_bytes < 512 ? probe->head_bytes : 512;
    return most > NAME_AT && pml_zip_is_archive(probe->head, probe->head_bytes) &&
           memmem(probe->head + NAME_AT, most - NAME_AT, name, sizeof name - 1) != NULL;
}

static unsigned probe_torch(const pml_probe *probe) {
    enum { TAR_MAGIC_AT = 257 };
    if (pml_name_ends_with(probe->base_name, index_ending)) {
        return probe->head_bytes > 0 && probe->head[0] == '{' ? 48 : 32;
    }
    unsigned bits = has_known_ending(probe->base_name) ? 16 : 0;
    const uint8_t *head = probe->head;
    if (begins_with_pickle(probe) ||
        (probe->head_bytes >= PML_TORCH_ROW_MAGIC_BYTES &&
         memcmp(head, PML_TORCH_ROW_MAGIC, PML_TORCH_ROW_MAGIC_BYTES) == 0) ||
        (probe->head_bytes >= 8 && memcmp(head, "PYTORCH1", 8) == 0)) {
        return bits + 64;
    }
    bool is_likely = (probe->head_bytes >= 2 && head[0] == 0x80 && head[1] <= 5) ||
                     pml_zip_is_archive(head, probe->head_bytes) ||
                     (probe->head_bytes >= TAR_MAGIC_AT + 5 && memcmp(head + TAR_MAGIC_AT, "ustar", 5) == 0);
    return bits > 0 && is_likely ? bits + 8 : 0;
}

pml_status pml_torch_file_open(pml_source *source, size_t i_file, pml_error *error) {
    pml_status status = PML_OK;
    pml_torch_state *state = pml_source_private(source);
    pml_torch_container *container = NULL;
    if (state == NULL) {
        PML_TRY(pml_alloc(1, sizeof *state, &state, error));
        pml_source_set_private(source, state);
    }
    PML_TRY(pml_grow(&state->containers, &state->container_capacity, i_file + 1, sizeof *state->containers,
                     PML_MAX_SHARDS, "files of one source", error));
    PML_TRY(pml_alloc(1, sizeof *container, &container, error));
    state->containers[i_file] = container;
    state->n_containers = i_file + 1;
    PML_TRY(pml_torch_container_open(pml_source_file_data(source, i_file), pml_source_file_size(source, i_file),
                                     pml_source_file_path(source, i_file), container, error));
    PML_TRY(pml_torch_checkpoint_take(source, i_file, container, state, error));
    pml_torch_container_forget(container);
done:
    return status;
}

static pml_status open_shard(pml_source *source, const char *base_name, const char *named_by, pml_error *error) {
    pml_status status = PML_OK;
    size_t i_file;
    PML_TRY(pml_source_add_sibling(source, base_name, named_by, &i_file, error));
    PML_TRY(pml_torch_file_open(source, i_file, error));
done:
    return status;
}

static pml_status open_torch(const char *path, pml_source *source, pml_error *error) {
    pml_status status = PML_OK;
    size_t i_file;
    if (pml_name_ends_with(path, ".index.json")) {
        PML_TRY(pml_shard_index_open(path, source, open_shard, error));
        goto done;
    }
    PML_TRY(pml_source_add_file(source, path, &i_file, error));
    PML_TRY(pml_torch_file_open(source, i_file, error));
done:
    return status;
}

static pml_status read_torch(pml_source *source, size_t i_tensor, void *buffer, pml_error *error) {
    pml_status status = PML_OK;
    const pml_torch_state *state = pml_source_private(source);
    const char *name = pml_source_tensor_at(source, i_tensor)->name;
    uint8_t *inflated = NULL;
    size_t i_made = 0;
    (void)pml_names_find(&state->names, name, strlen(name), &i_made);
    const pml_torch_made *made = &state->made[i_made];
    const pml_zip_entry *deflated = made->place.deflated;
    const uint8_t *storage = pml_source_file_data(source, made->i_file) + made->place.data_offset;
    if (deflated != NULL) {
        PML_TRY(pml_alloc_aligned((size_t)deflated->size_bytes, (void **)&inflated, error));
        PML_TRY(pml_zip_read(&state->containers[made->i_file]->zip, deflated, inflated, error));
        storage = inflated;
    }
    pml_torch_view_gather(&made->view, storage, buffer);
done:
    pml_free(inflated);
    return status;
}

static void close_torch(pml_source *source) {
    pml_torch_state *state = pml_source_private(source);
    if (state == NULL) {
        return;
    }
    for (size_t i = 0; i < state->n_containers; i++) {
        if (state->containers[i] != NULL) {
            pml_torch_container_deinit(state->containers[i]);
            pml_free(state->containers[i]);
        }
    }
    pml_names_deinit(&state->names);
    pml_free(state->containers);
    pml_free(state->made);
    pml_free(state);
}

extern const pml_format pml_format_torch;
const pml_format pml_format_torch = {
    .name = "torch",
    .description = "PyTorch: a state_dict or checkpoint of torch.save, or shards with an index; nothing in it is run",
    .file_names = (const char *const[]){"pytorch_model.bin.index.json", "pytorch_model.bin", NULL},
    .file_endings = (const char *const[]){".bin.index.json", ".bin", ".pth", ".pt", ".ckpt", NULL},
    .probe = probe_torch,
    .open = open_torch,
    .read = read_torch,
    .close = close_torch,
};
