/* Safetensors: one file, or an index over shards. Parts: safetensors/header.c; formats/shard_index.c. */
#include "formats/file_map.h"
#include "formats/safetensors/header.h"
#include "formats/shard_index.h"
#include "runtime/base/quote.h"

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

static pml_status open_shard(pml_source *source, const char *base_name, const char *named_by, pml_error *error) {
    pml_status status = PML_OK;
    size_t i_file;
    if (pml_name_ends_with(base_name, ".bin") || pml_name_ends_with(base_name, ".pt") ||
        pml_name_ends_with(base_name, ".pth")) {
        pml_quoted quoted;
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: the shard %s is a PyTorch file, not safetensors", named_by,
                         pml_quote(&quoted, base_name)));
    }
    PML_TRY(pml_source_add_sibling(source, base_name, named_by, &i_file, error));
    PML_TRY(pml_safetensors_read_header(source, i_file, error));
done:
    return status;
}

static pml_status open_safetensors(const char *path, pml_source *source, pml_error *error) {
    pml_status status = PML_OK;
    size_t i_file;
    if (pml_name_ends_with(path, ".index.json")) {
        PML_TRY(pml_shard_index_open(path, source, open_shard, error));
    } else {
        PML_TRY(pml_source_add_file(source, path, &i_file, error));
        PML_TRY(pml_safetensors_read_header(source, i_file, error));
    }
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
