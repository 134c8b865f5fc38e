/* A small network, data that it can learn, and a trainer over both. */
#ifndef PML_TESTS_RUNTIME_TRAIN_TRAIN_CASE_H
#define PML_TESTS_RUNTIME_TRAIN_TRAIN_CASE_H

#include <unistd.h>

#include "runtime/train/data/array_data.h"
#include "runtime/train/train_run.h"
#include "tests/runtime/models/series_model.h"

enum { TRAIN_T = 12, TRAIN_S = 3, TRAIN_C = 2, TRAIN_N = 40 };

static const char *const dlinear_settings[] = {"kind=dlinear",
                                               "head=prediction",
                                               "context_length=12",
                                               "prediction_length=3",
                                               "share_linear=true",
                                               "decomposition_kernel=3",
                                               NULL};
/* With what a step changes beside weights: batch norms, and dropout. */
static const char *const patchtst_settings[] = {"num_input_channels=2",
                                                "context_length=12",
                                                "prediction_length=3",
                                                "patch_length=4",
                                                "patch_stride=2",
                                                "num_hidden_layers=1",
                                                "d_model=8",
                                                "num_attention_heads=2",
                                                "ffn_dim=12",
                                                "num_targets=1",
                                                "activation=gelu",
                                                "channel_attention=false",
                                                "distribution=none",
                                                "do_mask_input=false",
                                                "ffn_bias=true",
                                                "head=prediction",
                                                "mask_value=0",
                                                "norm_eps=1e-5",
                                                "norm_type=batchnorm",
                                                "pooling=none",
                                                "positional_encoding=sincos",
                                                "pre_norm=true",
                                                "scaling=std",
                                                "share_embedding=true",
                                                "share_projection=true",
                                                "use_cls_token=false",
                                                "attention_dropout=0",
                                                "ff_dropout=0.2",
                                                "head_dropout=0",
                                                "path_dropout=0",
                                                "positional_dropout=0",
                                                NULL};

typedef struct train_case {
    pml_file *file;
    pml_model *model;
    pml_dataset *data;
    pml_loader *train, *val;
    pml_trainer *trainer;
    float values[TRAIN_N][TRAIN_T * TRAIN_C], future[TRAIN_N][TRAIN_S * TRAIN_C];
} train_case;

/* Sines of many phases, which go on. */
static inline void fill_case(train_case *c) {
    for (size_t i = 0; i < TRAIN_N; i++) {
        for (size_t t = 0; t < TRAIN_T + TRAIN_S; t++) {
            for (size_t k = 0; k < TRAIN_C; k++) {
                const float value = (float)sin(0.7 * (double)t + 0.9 * (double)i + (double)k);
                if (t < TRAIN_T) {
                    c->values[i][t * TRAIN_C + k] = value;
                } else {
                    c->future[i][(t - TRAIN_T) * TRAIN_C + k] = value;
                }
            }
        }
    }
}

static inline void open_loaders(train_case *c, size_t batch_size, size_t n_prefetch) {
    const pml_data_array arrays[] = {{"past_values", PML_DTYPE_F32, c->values, 2, {TRAIN_T, TRAIN_C}},
                                     {"future_values", PML_DTYPE_F32, c->future, 2, {TRAIN_S, TRAIN_C}}};
    PML_ASSERT_OK(pml_array_data_create(arrays, 2, TRAIN_N, &c->data, &error), &error);
    const pml_loader_options options = {.batch_size = batch_size, .seed = 5, .shuffle = true, .n_prefetch = n_prefetch};
    PML_ASSERT_OK(pml_loader_create(c->data, &options, &c->train, &error), &error);
    PML_ASSERT_OK(pml_loader_create(c->data, &(pml_loader_options){.batch_size = 16}, &c->val, &error), &error);
}

/* On the same file again, where `file` is one. */
static inline void open_case(train_case *c, const char *family, const char *const *settings, pml_file *file,
                             const pml_trainer_options *options) {
    *c = (train_case){.file = file};
    fill_case(c);
    if (file == NULL) {
        pml_metadata *metadata = series_metadata(family, settings);
        c->file = series_file(metadata, family);
        pml_metadata_destroy(metadata);
    }
    const pml_trainable_options trainable = {.backend = "cpu", .seed = 11};
    PML_ASSERT_OK(pml_model_create_trainable(c->file, &trainable, &c->model, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c->model);
    PML_ASSERT_OK(pml_model_threads_set(c->model, 1, &error), &error);
    PML_ASSERT_OK(pml_trainer_create(c->model, options, &c->trainer, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c->trainer);
    open_loaders(c, 8, 0);
}

/* Keeps the file open if it is another's. */
static inline void close_case(train_case *c, bool with_file) {
    pml_trainer_destroy(c->trainer);
    pml_loader_destroy(c->train);
    pml_loader_destroy(c->val);
    pml_dataset_destroy(c->data);
    pml_model_destroy(c->model);
    if (with_file) {
        pml_file_close(c->file);
    }
}

static inline const pml_batch *next_batch(train_case *c) {
    const pml_batch *batch = NULL;
    PML_ASSERT_OK(pml_loader_next(c->train, &batch, &error), &error);
    if (batch == NULL) { /* the end of an epoch */
        PML_ASSERT_OK(pml_loader_next(c->train, &batch, &error), &error);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(batch);
    return batch;
}

static inline double one_step(train_case *c) {
    pml_step_result result = {0};
    while (!pml_trainer_is_full(c->trainer)) {
        PML_ASSERT_OK(pml_trainer_add(c->trainer, next_batch(c), &error), &error);
    }
    PML_ASSERT_OK(pml_trainer_step(c->trainer, 1, &result, &error), &error);
    return result.loss;
}

/* A new folder. */
static inline const char *make_folder(const char *name) {
    static char folders[8][512];
    static size_t n;
    char *folder = folders[n++ % 8];
    (void)snprintf(folder, sizeof folders[0], "%s/%s-XXXXXX", pml_test_temporary_dir(), name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    return folder;
}

static inline bool same_file(const char *left, const char *right) {
    FILE *a = fopen(left, "rb"), *b = fopen(right, "rb");
    bool same = a != NULL && b != NULL;
    for (int x = 0, y = 0; same && x != EOF;) {
        x = getc(a);
        y = getc(b);
        same = x == y;
    }
    if (a != NULL) {
        (void)fclose(a);
    }
    if (b != NULL) {
        (void)fclose(b);
    }
    return same;
}

#endif
