/* What windows of an evaluation share and what counts of them: scaling around a network, periods of a batch, columns.
 */
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

enum { WINDOW = 24, AHEAD = 8, CHANNELS = 2, LONG = 80 };

static double noisy[LONG * CHANNELS];
static char first_name[] = "a", last_name[] = "OT";
static char *two_names[] = {first_name, last_name};

static pml_series make_series(void) {
    for (size_t i = 0; i < LONG; i++) {
        for (size_t c = 0; c < CHANNELS; c++) {
            noisy[i * CHANNELS + c] =
                sin((double)i * (i < LONG / 2 ? 0.9 : 0.31)) + (double)((i * i * 7 + c) % 11) / 11;
        }
    }
    return (pml_series){.n_rows = LONG, .n_columns = CHANNELS, .columns = two_names, .values = noisy};
}

static pml_evaluation evaluate(pml_model *model, const pml_series *series, size_t batch_size, bool drop_last,
                               const char *scored) {
    static const double mean[CHANNELS] = {0}, std[CHANNELS] = {1, 1};
    const pml_evaluate_options options = {.model = model,
                                          .context_length = WINDOW,
                                          .horizon = AHEAD,
                                          .split = {30, 40, LONG},
                                          .part = PML_PART_TEST,
                                          .mean = mean,
                                          .std = std,
                                          .n_scaled = CHANNELS,
                                          .batch_size = batch_size,
                                          .drop_last = drop_last,
                                          .scored = scored};
    pml_evaluation result = {0};
    PML_ASSERT_OK(pml_evaluation_run(series, "noise", &options, &result, &error), &error);
    return result;
}

/* Each window chooses its periods; with batch-wide choices the size of a batch counts, and a batch of one chooses for
 * itself again. */
static void windows_of_a_batch_may_share_their_periods(void) {
    const pml_series series = make_series();
    series_model m =
        series_open("timesnet", (const char *const[]){"head=prediction", "prediction_length=8", "num_input_channels=2",
                                                      "context_length=24", "num_hidden_layers=2", "d_model=8",
                                                      "ffn_dim=6", "num_kernels=3", "num_periods=2", "scaling=std",
                                                      "frequency=h", "time_embedding=none", NULL});
    const pml_evaluation one = evaluate(m.model, &series, 1, false, NULL),
                         many = evaluate(m.model, &series, 7, false, NULL);
    CU_ASSERT_EQUAL(one.mse, many.mse);
    pml_model_batch_wide_set(m.model, true);
    const pml_evaluation alone = evaluate(m.model, &series, 1, false, NULL);
    const pml_evaluation shared = evaluate(m.model, &series, 33, false, NULL);
    CU_ASSERT_EQUAL(one.windows, 33);
    CU_ASSERT_EQUAL(alone.mse, one.mse);
    CU_ASSERT_NOT_EQUAL(shared.mse, one.mse);
    series_close(&m);
}

static void one_column_may_count_alone(void) {
    const pml_series series = make_series();
    const pml_evaluation all = evaluate(NULL, &series, 4, false, NULL), first = evaluate(NULL, &series, 4, false, "a"),
                         last = evaluate(NULL, &series, 4, true, "OT");
    const pml_evaluation last_of_all = evaluate(NULL, &series, 4, false, "OT");
    CU_ASSERT_EQUAL(first.n_values * 2, all.n_values);
    CU_ASSERT_DOUBLE_EQUAL((first.mse + last_of_all.mse) / 2, all.mse, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL((first.mae + last_of_all.mae) / 2, all.mae, 1e-12);
    CU_ASSERT_EQUAL(last.windows, 32);
    const pml_evaluate_options options = {
        .context_length = 2, .horizon = 2, .split = {30, 40, LONG}, .batch_size = 1, .scored = "date"};
    pml_evaluation result;
    PML_ASSERT_FAILS(pml_evaluation_run(&series, "noise", &options, &result, &error), PML_E_FORMAT, &error,
                     "noise has no column 'date'");
}

PML_TESTS("runtime/series/evaluate_windows", PML_TEST(an_evaluation_scores_the_same_forecasts),
          PML_TEST(windows_of_a_batch_may_share_their_periods), PML_TEST(one_column_may_count_alone))
