#include "tests/runtime/models/dropout_check.h"

/* What the goldens (parity/autoformer) cannot show: independence of samples, choices for a whole batch, storage. */
enum { B = 5, T = 24, LABEL = 10, S = 7, C = 3, N_MARKS = 4 };

#define BASE                                                                                                           \
    "num_input_channels=3", "context_length=24", "label_length=10", "prediction_length=7", "num_encoder_layers=2",     \
        "num_decoder_layers=2", "d_model=16", "num_attention_heads=4", "ffn_dim=20", "decomposition_kernel=5",         \
        "correlation_factor=2", "activation=gelu"

static float x[B * T * C], marks[B * T * N_MARKS], decoder_marks[B * (LABEL + S) * N_MARKS], kept[B * S * C];

static void run(pml_model *model, size_t first, size_t count, bool has_marks) {
    const pml_array inputs[] = {
        {.name = "x_enc", .data = x + first * T * C, .rank = 3, .shape = {count, T, C}},
        {.name = "x_mark_enc", .data = marks + first * T * N_MARKS, .rank = 3, .shape = {count, T, N_MARKS}},
        {.name = "x_mark_dec",
         .data = decoder_marks + first * (LABEL + S) * N_MARKS,
         .rank = 3,
         .shape = {count, LABEL + S, N_MARKS}}};
    PML_ASSERT_OK(pml_model_run(model, inputs, has_marks ? 3 : 1, &error), &error);
}

static const float *forecast(const series_model *m) {
    const pml_array *y = pml_model_output(m->model, "prediction_outputs");
    CU_ASSERT_PTR_NOT_NULL_FATAL(y);
    return y->data;
}

static void fill_inputs(void) {
    fill_values(x, sizeof x / sizeof x[0]);
    fill_values(marks, sizeof marks / sizeof marks[0]);
    fill_values(decoder_marks, sizeof decoder_marks / sizeof decoder_marks[0]);
}

/* The same bits alone and among others; with choices for the whole batch only a batch of one stays the same. */
static void samples_choose_for_themselves(void) {
    series_model m =
        series_open("autoformer", (const char *const[]){BASE, "time_embedding=timeF", "frequency=h", NULL});
    fill_inputs();
    run(m.model, 0, B, true);
    memcpy(kept, forecast(&m), sizeof kept);
    for (size_t b = 0; b < B; b++) {
        run(m.model, b, 1, true);
        CU_ASSERT_EQUAL(memcmp(forecast(&m), kept + b * S * C, S * C * sizeof(float)), 0);
    }
    pml_model_batch_wide_set(m.model, true);
    run(m.model, 2, 1, true);
    CU_ASSERT_EQUAL(memcmp(forecast(&m), kept + 2 * S * C, S * C * sizeof(float)), 0);
    run(m.model, 0, B, true);
    CU_ASSERT_NOT_EQUAL(memcmp(forecast(&m), kept, sizeof kept), 0);
    CU_ASSERT_EQUAL(pml_model_context(m.model)->workspace_missed_bytes, 0);
    series_close(&m);
}

static void marks_count_where_there_are_any(void) {
    series_model m = series_open("autoformer", (const char *const[]){BASE, "time_embedding=none", "frequency=h", NULL});
    fill_inputs();
    run(m.model, 0, 1, false);
    CU_ASSERT_EQUAL(pml_model_context(m.model)->workspace_missed_bytes, 0);
    series_close(&m);
    m = series_open("autoformer", (const char *const[]){BASE, "time_embedding=learned", "frequency=h", NULL});
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        marks[i] = (float)(1 + i % 5);
    }
    for (size_t i = 0; i < sizeof decoder_marks / sizeof decoder_marks[0]; i++) {
        decoder_marks[i] = (float)(1 + i % 6);
    }
    run(m.model, 0, B, true);
    CU_ASSERT_EQUAL(pml_model_context(m.model)->workspace_missed_bytes, 0);
    memcpy(kept, forecast(&m), sizeof kept);
    marks[2] = 6; /* a weekday of the first sample */
    run(m.model, 0, B, true);
    CU_ASSERT_NOT_EQUAL(memcmp(forecast(&m), kept, S * C * sizeof(float)), 0);
    CU_ASSERT_EQUAL(memcmp(forecast(&m) + S * C, kept + S * C, (B - 1) * S * C * sizeof(float)), 0);
    marks[2] = 7;
    const pml_array inputs[] = {
        {.name = "x", .data = x, .rank = 3, .shape = {1, T, C}},
        {.name = "x_mark", .data = marks, .rank = 3, .shape = {1, T, N_MARKS}},
        {.name = "x_mark_dec", .data = decoder_marks, .rank = 3, .shape = {1, LABEL + S, N_MARKS}}};
    PML_ASSERT_FAILS(pml_model_run(m.model, inputs, 3, &error), PML_E_ARGUMENT, &error, "index 7 of 7");
    series_close(&m);
}

/* After both embeddings, three times in a layer of the encoder and four times in one of the decoder. */
static void training_drops_what_sublayers_add(void) {
    fill_inputs();
    const pml_array inputs[] = {
        {.name = "x_enc", .data = x, .rank = 3, .shape = {B, T, C}},
        {.name = "x_mark_enc", .data = marks, .rank = 3, .shape = {B, T, N_MARKS}},
        {.name = "x_mark_dec", .data = decoder_marks, .rank = 3, .shape = {B, LABEL + S, N_MARKS}}};
    check_dropout(&(dropout_case){
        .family = "autoformer",
        .settings = (const char *const[]){BASE, "time_embedding=timeF", "frequency=h", "dropout=0.3", NULL},
        .inputs = inputs,
        .n_inputs = 3,
        .output = "prediction_outputs",
        .n_dropouts = 1 + 2 * 3 + 1 + 2 * 4,
        .parameters =
            (const char *const[]){"head.weight", "decoder.layer.1.ffn.down.weight", "decoder.layer.0.cross.v.weight",
                                  "encoder.layer.0.attention.out.weight", "encoder.embedding.value.weight", NULL}});
}

PML_TESTS("runtime/models/autoformer", PML_TEST(training_drops_what_sublayers_add),
          PML_TEST(samples_choose_for_themselves), PML_TEST(marks_count_where_there_are_any))
