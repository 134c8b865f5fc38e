/* Windows that are scaled around the network are scored in the units of the series. */
#include "runtime/series/evaluate.h"
#include "tests/runtime/models/series_model.h"

enum { T = 6, S = 2 };

/* An evaluation in batches scores the forecasts that single calls give. */
static void an_evaluation_scores_the_same_forecasts(void) {
    enum { ROWS = 24 };
    static char name[] = "x";
    char *names[1] = {name};
    double values[ROWS], forecast[S], mean = 0, std = 1, squared = 0;
    for (size_t i = 0; i < ROWS; i++) {
        values[i] = (double)((i * i * 7 + 3 * i) % 23);
    }
    series_model m = series_open("dlinear", (const char *const[]){"kind=nlinear", "head=prediction", "context_length=6",
                                                                  "prediction_length=2", "share_linear=true",
                                                                  "window_scaler=robust", NULL});
    const pml_series series = {.n_rows = ROWS, .n_columns = 1, .columns = names, .values = values};
    const pml_evaluate_options options = {.model = m.model,
                                          .split = {8, 12, ROWS},
                                          .part = PML_PART_TEST,
                                          .mean = &mean,
                                          .std = &std,
                                          .n_scaled = 1,
                                          .batch_size = 4};
    pml_evaluation result;
    PML_ASSERT_OK(pml_evaluation_run(&series, "x", &options, &result, &error), &error);
    CU_ASSERT_EQUAL(result.windows, 11);
    for (size_t w = 0; w < result.windows; w++) {
        PML_ASSERT_OK(pml_model_forecast(m.model, values + 6 + w, T, 1, forecast, &error), &error);
        for (size_t s = 0; s < S; s++) {
            squared += pow(forecast[s] - values[12 + w + s], 2);
        }
    }
    CU_ASSERT_DOUBLE_EQUAL(result.mse, squared / (11 * S), 1e-9 * squared);
    series_close(&m);
}

PML_TESTS("runtime/series/evaluate_windows", PML_TEST(an_evaluation_scores_the_same_forecasts))
