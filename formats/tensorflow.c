/* TensorFlow: checkpoints of version 2 (an index and its data files) and SavedModels. Parts: tensorflow/. */
#include <stdio.h>
#include <string.h>

#include "formats/file_map.h"
#include "formats/tensorflow/tf_tensors.h"
#include "runtime/base/alloc.h"

#define INDEX_ENDING ".index"
#define SAVED_MODEL "saved_model.pb"

static unsigned probe_tensorflow(const pml_probe *probe) {
    /* The first entry of an index: no shared prefix, an empty key, and the header as its value. */
    static const uint8_t index_head[] = {0, 0};
    /* A SavedModel's version, then its graphs. */
    static const uint8_t model_head[] = {8, 1, 18};
    if (strcmp(probe->base_name, SAVED_MODEL) == 0) {
        return 48 + (probe->head_bytes >= sizeof model_head && memcmp(probe->head, model_head, sizeof model_head) == 0
                         ? 24
                         : 0);
    }
    unsigned bits = pml_name_ends_with(probe->base_name, INDEX_ENDING) ? 32 : 0;
    if (probe->head_bytes >= 8 && memcmp(probe->head, index_head, sizeof index_head) == 0 && probe->head[2] < 64 &&
        probe->head[3] == 8) {
        bits += 24;
    }
    return bits;
}

/* Opens the data files of the index `path`, whose name in the source's folder is `name`. */
static pml_status open_shards(pml_tf_checkpoint *checkpoint, const char *path, const char *name, pml_source *source,
                              pml_error *error) {
    pml_status status = PML_OK;
    char shard[512];
    size_t stem_bytes = strlen(name) - strlen(INDEX_ENDING);
    for (uint32_t i = 0; i < checkpoint->bundle.n_shards; i++) {
        size_t i_file;
        int n = snprintf(shard, sizeof shard, "%.*s.data-%05u-of-%05u", (int)stem_bytes, name, (unsigned)i,
                         (unsigned)checkpoint->bundle.n_shards);
        if (stem_bytes > sizeof shard || n < 0 || (size_t)n >= sizeof shard) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%s: the name is too long", path));
        }
        PML_TRY(pml_source_add_sibling(source, shard, path, &i_file, error));
        checkpoint->i_first_shard = i == 0 ? i_file : checkpoint->i_first_shard;
    }
done:
    return status;
}

/* Keys of a SavedModel are places of objects; its variables are called by their own names. */
static pml_status name_variables(pml_tf_checkpoint *checkpoint, const pml_source *source, pml_error *error) {
    static const uint8_t key[] = PML_TF_GRAPH_KEY;
    const pml_tf_bundle *bundle = &checkpoint->bundle;
    const pml_tf_entry *entry = pml_tf_bundle_find(bundle, (pml_tf_span){key, sizeof key - 1});
    if (entry == NULL) {
        return PML_OK;
    }
    size_t i_file = checkpoint->i_first_shard + entry->i_shard;
    pml_tf_span shard = {pml_source_file_data(source, i_file), (size_t)pml_source_file_size(source, i_file)};
    return pml_tf_names_read(bundle, entry, shard, &checkpoint->variables, error);
}

static pml_status open_tensorflow(const char *path, pml_source *source, pml_error *error) {
    pml_status status = PML_OK;
    pml_tf_checkpoint *checkpoint = NULL;
    size_t i_index = 0;
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    const bool is_model = strcmp(name, SAVED_MODEL) == 0;
    PML_TRY(pml_alloc(1, sizeof *checkpoint, &checkpoint, error));
    pml_source_set_private(source, checkpoint);
    if (is_model) {
        name = "variables/variables" INDEX_ENDING;
        PML_TRY(pml_source_add_sibling(source, name, path, &i_index, error));
    } else if (pml_name_ends_with(name, INDEX_ENDING)) {
        PML_TRY(pml_source_add_file(source, path, &i_index, error));
    } else {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT,
                         "%s: is the index of a TensorFlow checkpoint, but is not called *" INDEX_ENDING
                         ": its data files cannot be found",
                         path));
    }
    pml_tf_span index = {pml_source_file_data(source, i_index), (size_t)pml_source_file_size(source, i_index)};
    PML_TRY(pml_tf_bundle_read(index, pml_source_file_path(source, i_index), &checkpoint->bundle, error));
    PML_TRY(open_shards(checkpoint, path, name, source, error));
    if (is_model) {
        PML_TRY(name_variables(checkpoint, source, error));
    }
    PML_TRY(pml_tf_tensors_add(checkpoint, source, error));
done:
    return status;
}

static pml_status read_tensorflow(pml_source *source, size_t i_tensor, void *buffer, pml_error *error) {
    return pml_tf_tensor_join(pml_source_private(source), source, pml_source_tensor_at(source, i_tensor), buffer,
                              error);
}

static pml_status check_tensorflow(pml_source *source, size_t i_tensor, pml_error *error) {
    return pml_tf_tensor_check(pml_source_private(source), source, pml_source_tensor_at(source, i_tensor), error);
}

static void close_tensorflow(pml_source *source) {
    pml_tf_checkpoint *checkpoint = pml_source_private(source);
    if (checkpoint != NULL) {
        pml_tf_checkpoint_deinit(checkpoint);
        pml_free(checkpoint);
    }
}

extern const pml_format pml_format_tensorflow;
const pml_format pml_format_tensorflow = {
    .name = "tensorflow",
    .description = "TensorFlow: checkpoints of version 2 (.index and .data-*), SavedModel folders",
    .file_names = (const char *const[]){SAVED_MODEL, "bert_model.ckpt.index", "model.ckpt.index", NULL},
    .file_endings = (const char *const[]){".ckpt.index", INDEX_ENDING, NULL},
    .probe = probe_tensorflow,
    .open = open_tensorflow,
    .read = read_tensorflow,
    .check = check_tensorflow,
    .close = close_tensorflow,
};
