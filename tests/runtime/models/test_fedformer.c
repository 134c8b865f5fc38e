#include "tests/runtime/models/series_model.h"

/* What the goldens (parity/fedformer) cannot show: independence of samples, storage, and files that contradict
 * themselves. */
enum { B = 3, T = 24, LABEL = 12, S = 8, C = 2, N_MARKS = 4 };

static const char *const common[] = {
    "num_input_channels=2", "context_length=24",    "label_length=12",      "prediction_length=8",
    "num_encoder_layers=2", "num_decoder_layers=1", "d_model=16",           "num_attention_heads=4",
    "ffn_dim=20",           "activation=gelu",      "time_embedding=timeF", "frequency=h",
};
static const char *const fourier[] = {"version=fourier",     "cross_activation=tanh", "num_encoder_modes=3",
                                      "num_decoder_modes=4", "num_query_modes=2",     NULL};
static const char *const wavelets[] = {"version=wavelets",
                                       "cross_activation=softmax",
                                       "wavelet_channels=2",
                                       "wavelet_modes=16",
                                       "cross_modes=6",
                                       "ignored_levels=1",
                                       NULL};

static float x[B * T * C], marks[B * T * N_MARKS], decoder_marks[B * (LABEL + S) * N_MARKS], kept[B * S * C];

/* The lists of a network of that version; `wrong` replaces the encoder's. */
static pml_metadata *metadata_of(const char *const *more, const char *gates, const int64_t *wrong) {
    static const int64_t encoder[] = {1, 5, 7}, decoder[] = {0, 2, 3, 9}, query[] = {4, 6}, keys[] = {0, 8, 11},
                         kernels[] = {6, 5};
    const char *settings[32];
    size_t n = 0;
    for (; n < sizeof common / sizeof common[0]; n++) {
        settings[n] = common[n];
    }
    for (; *more != NULL; more++) {
        settings[n++] = *more;
    }
    if (gates != NULL) {
        settings[n++] = gates;
    }
    settings[n] = NULL;
    pml_metadata *m = series_metadata("fedformer", settings);
    PML_ASSERT_OK(pml_metadata_set_i64s(m, "config.decomposition_kernels", kernels, gates != NULL ? 2 : 1, &error),
                  &error);
    PML_ASSERT_OK(pml_metadata_set_i64s(m, "config.encoder_modes", wrong != NULL ? wrong : encoder, 3, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64s(m, "config.decoder_modes", decoder, 4, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64s(m, "config.query_modes", query, 2, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64s(m, "config.key_modes", keys, 3, &error), &error);
    return m;
}

static void run(pml_model *model, size_t first, size_t count) {
    const pml_array inputs[] = {
        {.name = "x_enc", .data = x + first * T * C, .rank = 3, .shape = {count, T, C}},
        {.name = "x_mark_enc", .data = marks + first * T * N_MARKS, .rank = 3, .shape = {count, T, N_MARKS}},
        {.name = "x_mark_dec",
         .data = decoder_marks + first * (LABEL + S) * N_MARKS,
         .rank = 3,
         .shape = {count, LABEL + S, N_MARKS}}};
    PML_ASSERT_OK(pml_model_run(model, inputs, 3, &error), &error);
}

static void check(const char *const *more, const char *gates) {
    pml_metadata *metadata = metadata_of(more, gates, NULL);
    series_model m = {.file = series_file(metadata, "fedformer")};
    PML_ASSERT_OK(pml_model_create(m.file, NULL, &m.model, &error), &error);
    fill_values(x, sizeof x / sizeof x[0]);
    fill_values(marks, sizeof marks / sizeof marks[0]);
    fill_values(decoder_marks, sizeof decoder_marks / sizeof decoder_marks[0]);
    run(m.model, 0, B);
    CU_ASSERT_EQUAL(pml_model_context(m.model)->workspace_missed_bytes, 0);
    memcpy(kept, pml_model_output(m.model, "y")->data, sizeof kept);
    for (size_t b = 0; b < B; b++) {
        run(m.model, b, 1);
        CU_ASSERT_EQUAL(memcmp(pml_model_output(m.model, "y")->data, kept + b * S * C, S * C * sizeof(float)), 0);
    }
    CU_ASSERT_EQUAL(pml_model_context(m.model)->workspace_missed_bytes, 0);
    series_close(&m);
    pml_metadata_destroy(metadata);
}

static void samples_stand_for_themselves(void) {
    check(fourier, NULL);
    check(fourier, "num_gates=2");
    check(wavelets, NULL);
    check(wavelets, "num_gates=2");
}

static void lists_must_fit_the_weights(void) {
    static const char *const too_many[] = {"version=fourier",     "cross_activation=tanh", "num_encoder_modes=4",
                                           "num_decoder_modes=4", "num_query_modes=2",     NULL};
    static const int64_t negative[] = {-1, 2, 3};
    pml_metadata *m = metadata_of(too_many, NULL, NULL);
    pml_file *file = series_file(m, "fedformer");
    pml_model *model = NULL;
    PML_ASSERT_FAILS(pml_model_create(file, NULL, &model, &error), PML_E_CONFIG, &error, "encoder_modes");
    pml_file_close(file);
    pml_metadata_destroy(m);
    m = metadata_of(fourier, NULL, negative);
    PML_ASSERT_FAILS(pml_schema_check_config(pml_schema_find("fedformer"), m, &error), PML_E_CONFIG, &error,
                     "encoder_modes");
    pml_metadata_destroy(m);
}

PML_TESTS("runtime/models/fedformer", PML_TEST(samples_stand_for_themselves), PML_TEST(lists_must_fit_the_weights))
