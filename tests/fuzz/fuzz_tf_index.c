/* The index of a TensorFlow checkpoint: what is accepted must keep every promise of formats/format.h. An input whose
 * first byte is 'T' is the index as it is, and its own data file; of any other, the rest is a data block, put into a
 * table with right checksums, and again the data. */
#include <stdlib.h>
#include <string.h>

#include "formats/source.h"
#include "formats/tensorflow/tf_tensors.h"
#include "runtime/base/alloc.h"
#include "tests/formats/tf_builder.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static const pml_format *format(void) {
    size_t i = 0;
    while (strcmp(pml_formats[i]->name, "tensorflow") != 0) {
        i++;
    }
    return pml_formats[i];
}

static void view_all(pml_source *source) {
    volatile uint8_t last = 0;
    for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
        const pml_source_tensor *tensor = pml_source_tensor_at(source, i);
        const void *data;
        require(pml_source_tensor_find(source, tensor->name) == tensor);
        if (pml_source_tensor_view(source, tensor, &data, NULL) == PML_OK && tensor->size_bytes > 0) {
            last = ((const uint8_t *)data)[tensor->size_bytes - 1];
        }
        pml_source_tensor_release(source, tensor);
    }
    (void)last;
}

static pml_status open_parts(pml_tf_checkpoint *checkpoint, pml_source *source, const uint8_t *data, size_t data_bytes,
                             pml_error *error) {
    pml_status status = PML_OK;
    static const uint8_t key[] = PML_TF_GRAPH_KEY;
    pml_tf_span index = {pml_source_file_data(source, 0), (size_t)pml_source_file_size(source, 0)};
    PML_TRY(pml_tf_bundle_read(index, "x", &checkpoint->bundle, error));
    checkpoint->i_first_shard = 1;
    for (uint32_t i = 0; i < checkpoint->bundle.n_shards; i++) {
        size_t i_file;
        PML_TRY(pml_source_add_memory(source, "x", data, data_bytes, &i_file, error));
    }
    const pml_tf_entry *graph = pml_tf_bundle_find(&checkpoint->bundle, (pml_tf_span){key, sizeof key - 1});
    if (graph != NULL && pml_tf_names_read(&checkpoint->bundle, graph, (pml_tf_span){data, data_bytes},
                                           &checkpoint->variables, NULL) != PML_OK) {
        pml_tf_names_deinit(&checkpoint->variables);
    }
    PML_TRY(pml_tf_tensors_add(checkpoint, source, error));
    PML_TRY(pml_source_sort(source, error));
done:
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes) {
    static tf_buffer table;
    pml_source *source = NULL;
    pml_tf_checkpoint *checkpoint = NULL;
    pml_error error;
    size_t i_file;
    if (size_bytes == 0 || size_bytes > 16384 || pml_alloc(1, sizeof *checkpoint, &checkpoint, NULL) != PML_OK) {
        return 0;
    }
    const uint8_t *index = bytes + 1;
    size_t index_bytes = size_bytes - 1;
    if (bytes[0] != 'T') {
        tf_build_table(&table, bytes + 1, size_bytes - 1, 0);
        index = table.bytes;
        index_bytes = table.used;
    }
    require(pml_source_create("x", format(), &source, NULL) == PML_OK);
    pml_source_set_private(source, checkpoint); /* the source closes it */
    require(pml_source_add_memory(source, "x", index, index_bytes, &i_file, NULL) == PML_OK);
    pml_status status = open_parts(checkpoint, source, bytes + 1, size_bytes - 1, &error);
    if (status == PML_OK) {
        view_all(source);
    } else {
        require(error.code == status && error.message[0] == 'x');
    }
    pml_source_close(source);
    return 0;
}
