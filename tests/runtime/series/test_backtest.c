#include "runtime/series/backtest.h"

#include "tests/runtime/models/series_model.h"

enum { T = 6, S = 3, N = 40 };

static char text[8192];

/* A series of two columns over N hours, `hole` is the row whose second value is missing (N: none). */
static pml_series *make_series(size_t hole) {
    pml_series *series = NULL;
    int used = snprintf(text, sizeof text, "date,a,b\n");
    random_state = 5;
    for (int i = 0; i < N; i++) {
        used += snprintf(text + used, sizeof text - (size_t)used, "2020-01-%02d %02d:00:00,%.6f,", 1 + i / 24, i % 24,
                         (double)next_value());
        const float second = next_value();
        used += (size_t)i == hole ? snprintf(text + used, sizeof text - (size_t)used, "\n")
                                  : snprintf(text + used, sizeof text - (size_t)used, "%.6f\n", (double)second);
    }
    const pml_series_request request = {NULL, 0, false};
    PML_ASSERT_OK(pml_series_parse(text, (size_t)used, "s.csv", &request, &series, &error), &error);
    return series;
}

static series_model make_model(void) {
    return series_open("dlinear", (const char *const[]){"kind=nlinear", "head=prediction", "context_length=6",
                                                        "prediction_length=3", "share_linear=true", NULL});
}

/* Every window, step and column against the forecasts themselves. */
static void errors_are_those_of_the_forecasts(void) {
    series_model m = make_model();
    pml_series *series = make_series(N);
    pml_backtest b = {0};
    const pml_backtest_options options = {.model = m.model, .first_row = T, .end_row = N, .stride = 4};
    PML_ASSERT_OK(pml_backtest_run(series, "s.csv", &options, &b, &error), &error);
    CU_ASSERT_EQUAL_FATAL(b.n_windows, (N - T - S) / 4 + 1);
    double squared[S][2] = {{0}}, absolute[S][2] = {{0}}, all = 0;
    for (size_t start = T; start + S <= N; start += 4) {
        double y[S * 2];
        PML_ASSERT_OK(pml_model_forecast(m.model, series->values + (start - T) * 2, T, 2, y, &error), &error);
        for (size_t i = 0; i < S * 2; i++) {
            const double difference = y[i] - series->values[start * 2 + i];
            squared[i / 2][i % 2] += difference * difference / (double)b.n_windows;
            absolute[i / 2][i % 2] += fabs(difference) / (double)b.n_windows;
            all += fabs(difference) / (double)(b.n_windows * S * 2);
        }
    }
    for (size_t s = 0; s < S; s++) {
        for (size_t c = 0; c < 2; c++) {
            const pml_backtest_error e = pml_backtest_error_of(&b, s, c);
            CU_ASSERT_EQUAL(e.count, b.n_windows);
            CU_ASSERT_DOUBLE_EQUAL(e.mse, squared[s][c], 1e-12);
            CU_ASSERT_DOUBLE_EQUAL(e.mae, absolute[s][c], 1e-12);
        }
    }
    CU_ASSERT_DOUBLE_EQUAL(pml_backtest_error_of(&b, PML_BACKTEST_ALL, PML_BACKTEST_ALL).mae, all, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(pml_backtest_error_of(&b, 1, PML_BACKTEST_ALL).mae, (absolute[1][0] + absolute[1][1]) / 2,
                           1e-12);
    CU_ASSERT_DOUBLE_EQUAL(pml_backtest_error_of(&b, PML_BACKTEST_ALL, 1).mse,
                           (squared[0][1] + squared[1][1] + squared[2][1]) / 3, 1e-12);
    pml_backtest_deinit(&b);
    pml_series_destroy(series);
    series_close(&m);
}

static void missing_truths_do_not_count(void) {
    series_model m = make_model();
    pml_series *series = make_series(T + 1);
    pml_backtest b = {0};
    pml_backtest_options options = {.model = m.model, .first_row = T, .end_row = T + S, .stride = 9};
    PML_ASSERT_OK(pml_backtest_run(series, "s.csv", &options, &b, &error), &error);
    CU_ASSERT_EQUAL(b.n_windows, 1);
    CU_ASSERT_EQUAL(pml_backtest_error_of(&b, 1, 1).count, 0);
    CU_ASSERT_TRUE(isnan(pml_backtest_error_of(&b, 1, 1).mae));
    CU_ASSERT_EQUAL(pml_backtest_error_of(&b, PML_BACKTEST_ALL, PML_BACKTEST_ALL).count, 2 * S - 1);
    pml_backtest_deinit(&b);
    /* Once it lies in a look-back, the model needs it. */
    options.end_row = N;
    options.stride = 1;
    PML_ASSERT_FAILS(pml_backtest_run(series, "s.csv", &options, &b, &error), PML_E_UNSUPPORTED, &error, "missing");
    pml_series_destroy(series);
    series_close(&m);
}

static void rows_must_fit(void) {
    series_model m = make_model();
    pml_series *series = make_series(N);
    pml_backtest b = {0};
    const pml_backtest_options wrong[] = {{.model = m.model, .first_row = T, .end_row = N, .stride = 0},
                                          {.model = m.model, .first_row = T - 1, .end_row = N, .stride = 1},
                                          {.model = m.model, .first_row = T, .end_row = N + 1, .stride = 1},
                                          {.model = m.model, .first_row = N, .end_row = T, .stride = 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CU_ASSERT_EQUAL(pml_backtest_run(series, "s.csv", &wrong[i], &b, &error), PML_E_ARGUMENT);
    }
    const pml_backtest_options small = {.model = m.model, .first_row = N - 2, .end_row = N, .stride = 1};
    PML_ASSERT_FAILS(pml_backtest_run(series, "s.csv", &small, &b, &error), PML_E_FORMAT, &error, "no forecast of 3");
    const pml_backtest_options large = {.model = m.model, .first_row = T, .end_row = N, .stride = SIZE_MAX};
    PML_ASSERT_OK(pml_backtest_run(series, "s.csv", &large, &b, &error), &error);
    CU_ASSERT_EQUAL(b.n_windows, 1);
    pml_backtest_deinit(&b);
    pml_series_destroy(series);
    series_close(&m);
}

PML_TESTS("runtime/series/backtest", PML_TEST(errors_are_those_of_the_forecasts), PML_TEST(missing_truths_do_not_count),
          PML_TEST(rows_must_fit))
