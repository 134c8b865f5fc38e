#include "tests/runtime/models/dropout_check.h"

/* What the goldens (parity/timesnet) cannot show: independence of samples, choices for a whole batch, heads without
 * goldens, storage. */
enum { T = 24, S = 8, C = 2, B = 3, N_MARKS = 4, N_CLASSES = 3 };
#define BASE                                                                                                           \
    "num_input_channels=2", "context_length=24", "num_hidden_layers=2", "d_model=8", "ffn_dim=6", "num_kernels=3",     \
        "num_periods=3", "scaling=std", "frequency=h"

static float x[B * T * C], marks[B * T * N_MARKS], mask[B * T], kept[B * T * C];

static void fill_inputs(void) {
    random_state = 3;
    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++) {
        x[i] = next_value() + sinf((float)i * (float)(1 + i / (T * C)));
    }
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        marks[i] = 0.5F * next_value();
    }
}

static const float *run(const series_model *m, size_t first, size_t count, bool has_marks, bool has_mask,
                        const char *output) {
    pml_array inputs[3] = {
        {.name = "x", .data = x + first * T * C, .rank = 3, .shape = {count, T, C}},
    };
    size_t n = 1;
    if (has_marks) {
        inputs[n++] =
            (pml_array){.name = "x_mark", .data = marks + first * T * N_MARKS, .rank = 3, .shape = {count, T, N_MARKS}};
    }
    if (has_mask) {
        inputs[n++] = (pml_array){.name = "x_mark_enc", .data = mask + first * T, .rank = 2, .shape = {count, T}};
    }
    PML_ASSERT_OK(pml_model_run(m->model, inputs, n, &error), &error);
    CU_ASSERT_EQUAL(pml_model_context(m->model)->workspace_missed_bytes, 0);
    const pml_array *y = pml_model_output(m->model, output);
    CU_ASSERT_PTR_NOT_NULL_FATAL(y);
    return y->data;
}

static void samples_choose_for_themselves(void) {
    const size_t each = S * C;
    series_model m = series_open("timesnet", (const char *const[]){"head=prediction", "prediction_length=8", BASE,
                                                                   "time_embedding=timeF", NULL});
    fill_inputs();
    memcpy(kept, run(&m, 0, B, true, false, "prediction_outputs"), B * each * sizeof(float));
    for (size_t b = 0; b < B; b++) {
        CU_ASSERT_EQUAL(memcmp(run(&m, b, 1, true, false, "prediction_outputs"), kept + b * each, each * sizeof(float)),
                        0);
    }
    pml_model_batch_wide_set(m.model, true);
    CU_ASSERT_NOT_EQUAL(memcmp(run(&m, 0, B, true, false, "prediction_outputs"), kept, B * each * sizeof(float)), 0);
    CU_ASSERT_EQUAL(memcmp(run(&m, 0, 1, true, false, "prediction_outputs"), kept, each * sizeof(float)), 0);
    series_close(&m);
}

static void other_heads(void) {
    series_model m =
        series_open("timesnet", (const char *const[]){"head=reconstruction", BASE, "time_embedding=none", NULL});
    fill_inputs();
    const float *y = run(&m, 0, B, false, false, "reconstruction");
    for (size_t i = 0; i < (size_t)B * T * C; i++) {
        CU_ASSERT_TRUE_FATAL(isfinite(y[i]));
    }
    series_close(&m);
    m = series_open("timesnet",
                    (const char *const[]){"head=classification", "num_targets=3", BASE, "time_embedding=none", NULL});
    for (size_t i = 0; i < sizeof mask / sizeof mask[0]; i++) {
        mask[i] = 1;
    }
    memcpy(kept, run(&m, 0, B, false, false, "prediction_logits"), B * N_CLASSES * sizeof(float));
    CU_ASSERT_EQUAL(memcmp(run(&m, 0, B, false, true, "prediction_logits"), kept, B * N_CLASSES * sizeof(float)), 0);
    mask[T - 1] = 0; /* the first sample ends a step earlier */
    y = run(&m, 0, B, false, true, "prediction_logits");
    CU_ASSERT_NOT_EQUAL(memcmp(y, kept, N_CLASSES * sizeof(float)), 0);
    CU_ASSERT_EQUAL(memcmp(y + N_CLASSES, kept + N_CLASSES, (B - 1) * N_CLASSES * sizeof(float)), 0);
    series_close(&m);
}

/* Kernels become one when a model is loaded, or, where they are learned, in every step: a changed weight is seen at
 * once. */
static void merged_kernels_give_the_same(void) {
    enum { N = B * S * C };
    fill_inputs();
    series_model m = series_open("timesnet", (const char *const[]){"head=prediction", "prediction_length=8", BASE,
                                                                   "time_embedding=timeF", NULL});
    series_model learned = {.file = m.file};
    double merged[N];
    const float *y = run(&m, 0, B, true, false, "y");
    const uint64_t n_merged = pml_model_context(m.model)->work.products;
    for (size_t i = 0; i < N; i++) {
        merged[i] = (double)y[i];
    }
    PML_ASSERT_OK(pml_model_create_trainable(m.file, &(pml_trainable_options){.seed = 1}, &learned.model, &error),
                  &error);
    y = run(&learned, 0, B, true, false, "y");
    CU_ASSERT_TRUE(is_close(y, merged, N));
    CU_ASSERT_TRUE(pml_model_context(learned.model)->work.products == n_merged);
    pml_model_parameter_find(learned.model, "layer.1.down.0.bias")->values[0] += 3;
    y = run(&learned, 0, B, true, false, "y");
    bool is_changed = false;
    for (size_t i = 0; i < N; i++) {
        is_changed = is_changed || fabs((double)y[i] - merged[i]) > 1e-3;
    }
    CU_ASSERT_TRUE(is_changed);
    pml_model_destroy(learned.model);
    series_close(&m);
}

/* A few weights may go with any length: what loading makes of it has a limit. */
static void tables_have_a_limit(void) {
    static const char *const settings[] = {"head=reconstruction", BASE, "time_embedding=none", NULL};
    pml_metadata *metadata = series_metadata("timesnet", settings);
    PML_ASSERT_OK(pml_metadata_set_i64(metadata, "config.context_length", 20000, &error), &error);
    pml_file *file = series_file(metadata, "timesnet");
    pml_model *model = NULL;
    PML_ASSERT_FAILS(pml_model_create(file, NULL, &model, &error), PML_E_UNSUPPORTED, &error,
                     "needs a table of 20002 x 10001 numbers: at most 256 MiB");
    pml_file_close(file);
    pml_metadata_destroy(metadata);
}

/* Behind the embedding, and of a classifier's features. */
static void training_drops_features(void) {
    fill_inputs();
    for (size_t i = 0; i < B * T; i++) {
        mask[i] = i % T < 20 ? 1 : 0;
    }
    const pml_array inputs[] = {{.name = "x", .data = x, .rank = 3, .shape = {B, T, C}},
                                {.name = "x_mark", .data = marks, .rank = 3, .shape = {B, T, N_MARKS}}};
    check_dropout(&(dropout_case){.family = "timesnet",
                                  .settings = (const char *const[]){"head=prediction", "prediction_length=8", BASE,
                                                                    "time_embedding=timeF", "dropout=0.2", NULL},
                                  .inputs = inputs,
                                  .n_inputs = 2,
                                  .output = "prediction_outputs",
                                  .n_dropouts = 1,
                                  .parameters = (const char *const[]){"head.weight", "layer.1.down.2.weight",
                                                                      "layer.0.up.1.weight", "layer.0.up.0.bias",
                                                                      "extend.weight", NULL}});
    const pml_array masked[] = {{.name = "x", .data = x, .rank = 3, .shape = {B, T, C}},
                                {.name = "x_mark_enc", .data = mask, .rank = 2, .shape = {B, T}}};
    check_dropout(&(dropout_case){.family = "timesnet",
                                  .settings = (const char *const[]){"head=classification", "num_targets=3", BASE,
                                                                    "time_embedding=none", "dropout=0.2", NULL},
                                  .inputs = masked,
                                  .n_inputs = 2,
                                  .output = "prediction_logits",
                                  .n_dropouts = 2,
                                  .parameters = (const char *const[]){"classifier.weight", "layer.1.down.2.weight",
                                                                      "layer.0.up.1.weight",
                                                                      "encoder.embedding.value.weight", NULL}});
}

PML_TESTS("runtime/models/timesnet", PML_TEST(training_drops_features), PML_TEST(samples_choose_for_themselves),
          PML_TEST(other_heads), PML_TEST(merged_kernels_give_the_same), PML_TEST(tables_have_a_limit))
