/* Windows as models take them: what a loader gives goes into a run by the names of its fields. */
#include "runtime/train/data/loader.h"
#include "runtime/train/data/series_windows.h"
#include "tests/runtime/models/series_model.h"

enum { N = 40, T = 6, S = 3, LABEL = 2, B = 4 };

#define SIZES                                                                                                          \
    "context_length=6", "prediction_length=3", "d_model=8", "num_attention_heads=2", "ffn_dim=12", "activation=gelu",  \
        "time_embedding=timeF", "frequency=h"

static pml_series *make_series(void) {
    static char text[N * 48];
    size_t used = (size_t)snprintf(text, sizeof text, "date,a,b\n");
    for (size_t i = 0; i < N; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "2020-02-%02zu %02zu:00,%zu.5,%zu\n", 1 + i / 24,
                                 i % 24, i % 7, (3 * i) % 11);
    }
    pml_series *series = NULL;
    PML_ASSERT_OK(pml_series_parse(text, used, "s.csv", NULL, &series, &error), &error);
    return series;
}

/* Runs a batch; *n_used is how many of its fields the model took. */
static void run_batch(pml_model *model, const pml_batch *batch, size_t *n_used) {
    pml_array inputs[PML_MAX_DATA_FIELDS];
    size_t n = 0;
    for (size_t f = 0; f < batch->n_fields; f++) {
        const pml_batch_field *field = &batch->fields[f];
        if (pml_model_find_input(model, field->name) != NULL) {
            inputs[n] = (pml_array){.name = field->name, .data = field->data, .rank = field->rank};
            memcpy(inputs[n++].shape, field->shape, field->rank * sizeof field->shape[0]);
        }
    }
    PML_ASSERT_OK(pml_model_run(model, inputs, n, &error), &error);
    *n_used = n;
}

static void check_model(series_model m, size_t n_inputs, size_t label_length) {
    pml_series *series = make_series();
    pml_windows_options options = {.split = {20, 30, N}};
    pml_dataset *dataset = NULL;
    pml_loader *loader = NULL;
    const pml_batch *batch = NULL;
    const pml_array *forecast = NULL;
    size_t n_used = 0;
    PML_ASSERT_OK(pml_windows_options_of(m.model, &options, &error), &error);
    CU_ASSERT_TRUE(options.context_length == T && options.horizon == S && options.label_length == label_length &&
                   options.marks.count == 4 && !options.allows_missing);
    PML_ASSERT_OK(pml_series_windows_create(series, "s.csv", &options, &dataset, &error), &error);
    PML_ASSERT_OK(pml_loader_create(dataset, &(pml_loader_options){.batch_size = B, .shuffle = true, .n_prefetch = 1},
                                    &loader, &error),
                  &error);
    PML_ASSERT_OK(pml_loader_next(loader, &batch, &error), &error);
    run_batch(m.model, batch, &n_used);
    CU_ASSERT_EQUAL(n_used, n_inputs);
    PML_ASSERT_OK(pml_model_point_forecast(m.model, &forecast, &error), &error);
    const pml_batch_field *truth = pml_batch_find(batch, PML_FIELD_FUTURE);
    CU_ASSERT_TRUE(forecast->rank == truth->rank && forecast->shape[0] == B);
    CU_ASSERT_EQUAL(memcmp(forecast->shape, truth->shape, 3 * sizeof truth->shape[0]), 0);
    pml_loader_destroy(loader);
    pml_dataset_destroy(dataset);
    pml_series_destroy(series);
    series_close(&m);
}

static void marks_go_where_a_model_has_them(void) {
    check_model(series_open("itransformer", (const char *const[]){"head=prediction", SIZES, "num_hidden_layers=1",
                                                                  "scaling=std", NULL}),
                2, 0);
    check_model(
        series_open("autoformer", (const char *const[]){SIZES, "num_input_channels=2", "label_length=2",
                                                        "num_encoder_layers=1", "num_decoder_layers=1",
                                                        "decomposition_kernel=3", "correlation_factor=1", NULL}),
        3, LABEL);
}

PML_TESTS("runtime/train/data/windows_options", PML_TEST(marks_go_where_a_model_has_them))
