/* A GPT-2 of random weights in a file, for tests of the model and of sessions. */
#ifndef PML_TESTS_RUNTIME_MODELS_GPT2_FILE_H
#define PML_TESTS_RUNTIME_MODELS_GPT2_FILE_H

#include <stdio.h>
#include <string.h>

#include "runtime/file/writer.h"
#include "runtime/models/model.h"
#include "tests/harness.h"

enum { GPT2_V = 23, GPT2_D = 24, GPT2_HEADS = 3, GPT2_F = 40, GPT2_POSITIONS = 50, GPT2_LABELS = 3, GPT2_PAD = 22 };

typedef struct gpt2_build {
    const char *head;
    bool tied_head, no_bias, scale_by_layer, no_pad;
    int64_t vocab_size;       /* 0: GPT2_V */
    const uint8_t *tokenizer; /* NULL: the file has none */
    size_t tokenizer_bytes;
} gpt2_build;

typedef struct gpt2_opened {
    pml_file *file;
    pml_model *model;
} gpt2_opened;

static inline float gpt2_next_value(unsigned long long *state) {
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (float)(double)(*state >> 40) / 8388608.0F - 1.0F;
}

static inline pml_metadata *gpt2_metadata(const gpt2_build *b) {
    const struct {
        const char *key;
        int64_t value;
    } sizes[] = {{"vocab_size", b->vocab_size > 0 ? b->vocab_size : GPT2_V},
                 {"max_positions", GPT2_POSITIONS},
                 {"num_hidden_layers", 2},
                 {"d_model", GPT2_D},
                 {"num_attention_heads", GPT2_HEADS},
                 {"ffn_dim", GPT2_F},
                 {"num_labels", GPT2_LABELS},
                 {b->no_pad ? "num_labels" : "pad_token", b->no_pad ? GPT2_LABELS : GPT2_PAD}};
    const struct {
        const char *key;
        bool value;
    } flags[] = {{"has_bias", !b->no_bias},
                 {"scale_scores", true},
                 {"scale_by_layer", b->scale_by_layer},
                 {"tied_head", b->tied_head}};
    const char *const texts[][2] = {
        {"general.family", "gpt2"}, {"config.head", b->head}, {"config.activation", "gelu_tanh"}};
    char key[64];
    pml_metadata *m;
    pml_error error;
    PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        (void)snprintf(key, sizeof key, "config.%s", sizes[i].key);
        PML_ASSERT_OK(pml_metadata_set_i64(m, key, sizes[i].value, &error), &error);
    }
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        (void)snprintf(key, sizeof key, "config.%s", flags[i].key);
        PML_ASSERT_OK(pml_metadata_set_bool(m, key, flags[i].value, &error), &error);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        PML_ASSERT_OK(pml_metadata_set_string(m, texts[i][0], texts[i][1], &error), &error);
    }
    PML_ASSERT_OK(pml_metadata_set_f64(m, "config.norm_eps", 1e-5, &error), &error);
    return m;
}

/* Every tensor a row. */
static inline gpt2_opened gpt2_open(const gpt2_build *b) {
    static unsigned n_files;
    const char *path = pml_test_path("%s/%u.pml", pml_test_temporary_dir(), n_files++);
    unsigned long long state = 7;
    gpt2_opened o = {0};
    pml_metadata *m = gpt2_metadata(b);
    pml_weight_list list;
    pml_writer *writer;
    pml_error error;
    size_t i_tensors[64];
    PML_ASSERT_OK(pml_schema_weights(pml_schema_find("gpt2"), m, PML_MAX_TENSORS, &list, &error), &error);
    PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
    PML_ASSERT_OK(pml_writer_set_metadata(writer, m, &error), &error);
    CU_ASSERT_TRUE_FATAL(list.count <= 64);
    for (size_t i = 0; i < list.count; i++) {
        const pml_weight_instance *w = &list.items[i];
        PML_ASSERT_OK(pml_writer_add_tensor(writer, w->name, PML_DTYPE_F32, PML_LAYOUT_ROW, w->shape, w->rank, "",
                                            &i_tensors[i], &error),
                      &error);
    }
    if (b->tokenizer != NULL) {
        PML_ASSERT_OK(pml_writer_add_blob(writer, "tokenizer", b->tokenizer, b->tokenizer_bytes, &error), &error);
    }
    PML_ASSERT_OK(pml_writer_begin(writer, path, false, &error), &error);
    for (size_t i = 0; i < list.count; i++) {
        uint64_t count = 1;
        for (unsigned axis = 0; axis < list.items[i].rank; axis++) {
            count *= list.items[i].shape[axis];
        }
        for (uint64_t k = 0; k < count;) {
            float values[1024];
            size_t n = 0;
            for (; n < 1024 && k < count; k++) {
                values[n++] = gpt2_next_value(&state);
            }
            PML_ASSERT_OK(pml_writer_tensor_write(writer, i_tensors[i], values, n * sizeof *values, &error), &error);
        }
    }
    PML_ASSERT_OK(pml_writer_finish(writer, &error), &error);
    pml_writer_destroy(writer);
    pml_weight_list_deinit(&list);
    pml_metadata_destroy(m);
    PML_ASSERT_OK(pml_file_open(path, &o.file, &error), &error);
    PML_ASSERT_OK(pml_model_create(o.file, NULL, &o.model, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(o.model);
    return o;
}

static inline void gpt2_close(gpt2_opened *o) {
    pml_model_destroy(o->model);
    pml_file_close(o->file);
}

#endif
