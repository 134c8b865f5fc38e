/* What a model is told of the dates of a series, and on which scale it answers. */
#include "runtime/series/series_forecast.h"

#include "runtime/series/evaluate.h"
#include "tests/runtime/models/series_model.h"

enum { T = 6, S = 3, N = 30, LABEL = 2, M = 4 };

static char text[8192];

static pml_series *make_series(bool has_dates) {
    pml_series *series = NULL;
    int used = snprintf(text, sizeof text, "%sa,b\n", has_dates ? "date," : "");
    random_state = 5;
    for (int i = 0; i < N; i++) {
        if (has_dates) { /* over the end of a leap February */
            used += snprintf(text + used, sizeof text - (size_t)used, "2020-02-%02d %02d:00:00,", 28 + i / 24, i % 24);
        }
        const double first = (double)next_value(), second = (double)next_value();
        used += snprintf(text + used, sizeof text - (size_t)used, "%.6f,%.6f\n", first, second);
    }
    const pml_series_request request = {NULL, 0, false};
    PML_ASSERT_OK(pml_series_parse(text, (size_t)used, "s.csv", &request, &series, &error), &error);
    return series;
}

#define SIZES                                                                                                          \
    "context_length=6", "prediction_length=3", "d_model=8", "num_attention_heads=2", "ffn_dim=12", "activation=gelu",  \
        "time_embedding=timeF", "frequency=h"

static series_model inverted(void) {
    return series_open("itransformer",
                       (const char *const[]){"head=prediction", SIZES, "num_hidden_layers=1", "scaling=std", NULL});
}

static series_model decoding(void) {
    return series_open("autoformer", (const char *const[]){SIZES, "num_input_channels=2", "label_length=2",
                                                           "num_encoder_layers=1", "num_decoder_layers=1",
                                                           "decomposition_kernel=3", "correlation_factor=1", NULL});
}

/* hour, weekday, day and day of the year of row i: 2020-02-28 was a Friday, and that year has a 29th. */
static void marks_of(size_t i, float *marks) {
    const size_t day = i / 24;
    marks[0] = (float)((double)(i % 24) / 23 - 0.5);
    marks[1] = (float)((double)(4 + day) / 6 - 0.5);
    marks[2] = (float)((double)(27 + day) / 30 - 0.5);
    marks[3] = (float)((double)(58 + day) / 365 - 0.5);
}

/* The forecast from the last row on is that of a run with the marks written out. */
static void check_marks(series_model m, bool has_decoder) {
    pml_series *series = make_series(true);
    pml_series_forecast forecast = {0};
    float x[T * 2], marks[(T + S) * M];
    const size_t first = N - T;
    for (size_t i = 0; i < T * 2; i++) {
        x[i] = (float)series->values[first * 2 + i];
    }
    for (size_t i = 0; i < T + S; i++) {
        marks_of(first + i, marks + i * M);
    }
    const pml_array inputs[] = {
        {.name = "x", .data = x, .rank = 3, .shape = {1, T, 2}},
        {.name = "x_mark", .data = marks, .rank = 3, .shape = {1, T, M}},
        {.name = "x_mark_dec", .data = marks + (T - LABEL) * M, .rank = 3, .shape = {1, LABEL + S, M}}};
    const pml_series_forecast_options options = {.start_row = N};
    PML_ASSERT_OK(pml_series_forecast_run(m.model, series, "s.csv", &options, &forecast, &error), &error);
    PML_ASSERT_OK(pml_model_run(m.model, inputs, has_decoder ? 3 : 2, &error), &error);
    const pml_array *y = pml_model_output(m.model, "y");
    for (size_t i = 0; i < S * 2; i++) {
        CU_ASSERT_EQUAL((float)forecast.values[i], y->data[i]);
    }
    pml_series_forecast_deinit(&forecast);
    pml_series_destroy(series);
    series_close(&m);
}

static void dates_become_marks(void) {
    check_marks(inverted(), false);
    check_marks(decoding(), true);
}

static void without_dates(void) {
    series_model free_of = inverted(), bound = decoding();
    pml_series *series = make_series(false);
    pml_series_forecast forecast = {0};
    pml_series_forecast_options options = {.start_row = N};
    PML_ASSERT_FAILS(pml_series_forecast_run(free_of.model, series, "s.csv", &options, &forecast, &error), PML_E_FORMAT,
                     &error, "no date column");
    options.without_marks = true;
    PML_ASSERT_OK(pml_series_forecast_run(free_of.model, series, "s.csv", &options, &forecast, &error), &error);
    pml_series_forecast_deinit(&forecast);
    PML_ASSERT_FAILS(pml_series_forecast_run(bound.model, series, "s.csv", &options, &forecast, &error), PML_E_FORMAT,
                     &error, "no date column");
    double values[S * 2];
    PML_ASSERT_FAILS(pml_model_forecast(bound.model, series->values, T, 2, values, &error), PML_E_ARGUMENT, &error,
                     "past_marks");
    pml_series_destroy(series);
    series_close(&free_of);
    series_close(&bound);
}

static void the_scale_is_the_files_or_the_datas(void) {
    static const char *const settings[] = {"kind=nlinear",        "head=prediction",   "context_length=6",
                                           "prediction_length=3", "share_linear=true", NULL};
    const double mean[] = {10, -3}, std[] = {2, 0.5};
    pml_metadata *metadata = series_metadata("dlinear", settings);
    PML_ASSERT_OK(pml_metadata_set_f64s(metadata, "series.mean", mean, 2, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_f64s(metadata, "series.std", std, 2, &error), &error);
    series_model m = {.file = series_file(metadata, "dlinear")};
    PML_ASSERT_OK(pml_model_create(m.file, NULL, &m.model, &error), &error);
    pml_series *series = make_series(true);
    pml_series_forecast plain = {0}, scaled = {0};
    pml_series_forecast_options options = {.start_row = N};
    PML_ASSERT_OK(pml_series_forecast_run(m.model, series, "s.csv", &options, &plain, &error), &error);
    options.scaled = true;
    PML_ASSERT_OK(pml_series_forecast_run(m.model, series, "s.csv", &options, &scaled, &error), &error);
    for (size_t i = 0; i < S * 2; i++) {
        CU_ASSERT_DOUBLE_EQUAL(plain.values[i], scaled.values[i] * std[i % 2] + mean[i % 2], 1e-12);
    }
    pml_series_forecast_deinit(&plain);
    pml_series_forecast_deinit(&scaled);
    pml_series_destroy(series);
    pml_metadata_destroy(metadata);
    series_close(&m);
}

/* Windows of an evaluation have the marks of their rows, and those that fill no batch can be left out. */
static void evaluations_are_told_dates(void) {
    series_model m = decoding();
    pml_series *series = make_series(true), *undated = make_series(false);
    pml_evaluation all, full, one;
    pml_evaluate_options options = {.model = m.model, .split = {12, 18, N}, .part = PML_PART_TEST, .batch_size = 4};
    PML_ASSERT_OK(pml_evaluation_run(series, "s.csv", &options, &all, &error), &error);
    CU_ASSERT_EQUAL(all.windows, N - 18 - S + 1);
    options.drop_last = true;
    PML_ASSERT_OK(pml_evaluation_run(series, "s.csv", &options, &full, &error), &error);
    CU_ASSERT_EQUAL(full.windows, 8);
    options.batch_size = 11;
    PML_ASSERT_FAILS(pml_evaluation_run(series, "s.csv", &options, &full, &error), PML_E_FORMAT, &error, "dropped");
    options.drop_last = false;
    options.batch_size = 1;
    PML_ASSERT_OK(pml_evaluation_run(series, "s.csv", &options, &one, &error), &error);
    CU_ASSERT_EQUAL(one.mse, all.mse);
    PML_ASSERT_FAILS(pml_evaluation_run(undated, "s.csv", &options, &one, &error), PML_E_FORMAT, &error,
                     "no date column");
    pml_series_destroy(series);
    pml_series_destroy(undated);
    series_close(&m);
}

PML_TESTS("runtime/series/series_forecast", PML_TEST(dates_become_marks), PML_TEST(without_dates),
          PML_TEST(the_scale_is_the_files_or_the_datas), PML_TEST(evaluations_are_told_dates))
