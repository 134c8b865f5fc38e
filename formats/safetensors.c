/* Safetensors: one file, or an index over shards. Parts: safetensors/header.c, safetensors/index.c. */
#include "formats/file_map.h"
#include "formats/safetensors/header.h"
#include "formats/safetensors/index.h"

/* The first byte at or after `start` that is no JSON space, or -1. */
static int first_visible(const pml_probe *probe, size_t start) {
    for (size_t i = start; i < probe->head_bytes; i++) {
        uint8_t byte = probe->head[i];
        if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r') {
            return byte;
        }
    }
    return -1;
}

static unsigned probe_safetensors(const pml_probe *probe) {
    unsigned bits = 0;
    if (pml_name_ends_with(probe->base_name, ".safetensors") ||
        pml_name_ends_with(probe->base_name, ".safetensors.index.json")) {
        bits = 32;
    }
    if (pml_name_ends_with(probe->base_name, ".index.json")) {
        return bits + 8 + (first_visible(probe, 0) == '{' ? 8 : 0);
    }
    if (probe->head_bytes >= 9) {
        uint64_t header_bytes = pml_safetensors_header_bytes(probe->head);
        if (header_bytes <= probe->file_size_bytes - 8 && header_bytes <= PML_MAX_HEADER_BYTES &&
            first_visible(probe, 8) == '{') {
            bits += 40;
        }
    }
    return bits;
}

static pml_status open_index(const char *path, pml_source *source, pml_error *error) {
    pml_status status = PML_OK;
    pml_file_map map = {0};
    pml_safetensors_index index = {0};
    PML_TRY(pml_source_map(source, path, &map, error));
    PML_TRY(pml_safetensors_index_parse(map.data, (size_t)map.size_bytes, path, &index, error));
    PML_TRY(pml_safetensors_index_open_shards(&index, path, source, error));
done:
    pml_safetensors_index_deinit(&index);
    pml_file_map_close(&map);
    return status;
}

static pml_status open_safetensors(const char *path, pml_source *source, pml_error *error) {
    pml_status status = PML_OK;
    size_t i_file;
    if (pml_name_ends_with(path, ".index.json")) {
        PML_TRY(open_index(path, source, error));
        goto done;
    }
    PML_TRY(pml_source_add_file(source, path, &i_file, error));
    PML_TRY(pml_safetensors_read_header(source, i_file, error));
    PML_TRY(pml_safetensors_check_coverage(source, error));
done:
    return status;
}

extern const pml_format pml_format_safetensors;
const pml_format pml_format_safetensors = {
    .name = "safetensors",
    .description = "safetensors: one file, or shards with an index",
    .file_names = (const char *const[]){"model.safetensors.index.json", "model.safetensors", NULL},
    .file_endings = (const char *const[]){".safetensors.index.json", ".safetensors", ".ckpt", NULL},
    .probe = probe_safetensors,
    .open = open_safetensors,
};
