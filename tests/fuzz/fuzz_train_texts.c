/* Any file as text to train on: JSON lines with classes, lines to be masked, tokens in blocks. What is accepted gives
 * samples within their bounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/train/data/labelled_texts.h"
#include "runtime/train/data/masked_tokens.h"
#include "runtime/train/data/token_blocks.h"

enum { MOST_TOKENS = 12, N_WORDS = 9 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static pml_tokenizer *make_tokenizer(void) {
    static const char *const words[N_WORDS] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##a", "."};
    static const pml_added_token added[] = {{2, true, false, false}, {4, true, true, false}};
    static const pml_template_item items[] = {{PML_TEMPLATE_TOKEN, 2, 0},
                                              {PML_TEMPLATE_FIRST, 0, 0},
                                              {PML_TEMPLATE_TOKEN, 3, 0},
                                              {PML_TEMPLATE_SECOND, 0, 1},
                                              {PML_TEMPLATE_TOKEN, 3, 1}};
    static uint8_t *blob;
    pml_token_text tokens[N_WORDS];
    pml_tokenizer *tokenizer = NULL;
    size_t blob_bytes = 0;
    for (size_t i = 0; i < N_WORDS; i++) {
        tokens[i] = (pml_token_text){words[i], strlen(words[i])};
    }
    const pml_tokenizer_spec spec = {.tokens = tokens,
                                     .n_tokens = N_WORDS,
                                     .clean_text = true,
                                     .prefix = "##",
                                     .max_word_chars = 100,
                                     .unk_id = 1,
                                     .cls_id = 2,
                                     .sep_id = 3,
                                     .pad_id = 0,
                                     .mask_id = 4,
                                     .bos_id = PML_NO_TOKEN,
                                     .eos_id = PML_NO_TOKEN,
                                     .added = added,
                                     .n_added = 2,
                                     .single = items,
                                     .n_single = 3,
                                     .pair = items,
                                     .n_pair = 5};
    if (pml_tokenizer_pack(&spec, &blob, &blob_bytes, NULL) != PML_OK ||
        pml_tokenizer_create(blob, blob_bytes, &tokenizer, NULL) != PML_OK) {
        abort();
    }
    return tokenizer;
}

/* Fetches every sample and destroys the data set. `n_labels`: of classes; 0: labels are tokens; fields in the kinds'
 * order. */
static void walk(pml_dataset *dataset, size_t n_labels) {
    const size_t i_labels = dataset->n_fields - 1;
    float values[PML_MAX_DATA_FIELDS][64];
    int64_t *labels = NULL;
    size_t n_values = 0;
    if (pml_data_field_count(&dataset->fields[i_labels], &n_values, NULL) != PML_OK ||
        pml_alloc(n_values, sizeof *labels, &labels, NULL) != PML_OK) {
        abort();
    }
    for (size_t i = 0; i < dataset->n_samples; i++) {
        void *fields[PML_MAX_DATA_FIELDS];
        size_t length = 1;
        for (size_t f = 0; f < dataset->n_fields; f++) {
            fields[f] = f == i_labels ? (void *)labels : values[f];
        }
        if (pml_dataset_fetch(dataset, i, &(pml_data_key){1, 2}, fields, &length, NULL) != PML_OK ||
            length > MOST_TOKENS) {
            abort();
        }
        for (size_t t = 0; t < length; t++) {
            if (!(values[0][t] >= 0 && values[0][t] < N_WORDS)) {
                abort();
            }
        }
        if (n_labels > 0 && dataset->classes != NULL && (labels[0] < 0 || (size_t)labels[0] >= n_labels)) {
            abort();
        }
    }
    pml_free(labels);
    pml_dataset_destroy(dataset);
}

static void read_texts(const pml_tokenizer *tokenizer, const char *path) {
    static const pml_stream_options streams[] = {{false, false, 0}, {true, true, 3}};
    for (int flag = 0; flag < 2; flag++) {
        const pml_labelled_options labelled = {.max_tokens = MOST_TOKENS, .is_multi_label = flag};
        const pml_masked_options masked = {.max_tokens = MOST_TOKENS, .by_line = flag};
        pml_token_stream stream = {0};
        pml_dataset *dataset = NULL;
        if (pml_labelled_texts_create(tokenizer, path, &labelled, &dataset, NULL) == PML_OK) {
            walk(dataset, pml_labelled_texts_n_labels(dataset));
        }
        if (pml_masked_tokens_create(tokenizer, &path, 1, &masked, &dataset, NULL) == PML_OK) {
            walk(dataset, 0);
        }
        if (pml_token_stream_read(tokenizer, &path, 1, &streams[flag], &stream, NULL) == PML_OK &&
            pml_token_blocks_create(&stream, "fuzz", 1, &dataset, NULL) == PML_OK) {
            pml_dataset_destroy(dataset);
        }
        pml_token_stream_deinit(&stream);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes) {
    static pml_tokenizer *tokenizer;
    char path[64];
    tokenizer = tokenizer != NULL ? tokenizer : make_tokenizer();
    const int fd = memfd_create("text", MFD_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, bytes, size_bytes) == (ssize_t)size_bytes) {
        read_texts(tokenizer, path);
    }
    (void)close(fd);
    return 0;
}
