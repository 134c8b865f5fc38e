#include "runtime/series/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/cancel.h"
#include "tests/harness.h"

/* One column 0, 1, 2, ... n-1. */
static pml_series ramp(double *values, char **names, size_t n_rows) {
    static char name[] = "x";
    for (size_t i = 0; i < n_rows; i++) {
        values[i] = (double)i;
    }
    names[0] = name;
    return (pml_series){.n_rows = n_rows, .n_columns = 1, .columns = names, .values = values};
}

static void baseline_by_hand(void) {
    double values[20], mean = 3, std = 2;
    char *names[1];
    pml_series series = ramp(values, names, 20);
    pml_evaluation result;
    pml_error error = {0};
    pml_evaluate_options options = {.context_length = 2,
                                    .horizon = 3,
                                    .split = {10, 14, 20},
                                    .part = PML_PART_TEST,
                                    .mean = &mean,
                                    .std = &std,
                                    .n_scaled = 1,
                                    .batch_size = 3};
    PML_ASSERT_OK(pml_evaluation_run(&series, "ramp", &options, &result, &error), &error);
    /* Steps 1, 2, 3 ahead differ by 1, 2, 3, divided by the deviation 2. */
    CU_ASSERT_EQUAL(result.windows, 4);
    CU_ASSERT_EQUAL(result.n_values, 12);
    CU_ASSERT_DOUBLE_EQUAL(result.mse, (1 + 4 + 9) / 3.0 / 4.0, 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(result.mae, 2 / 2.0, 1e-15);
    CU_ASSERT_TRUE(result.first_row == 14 && result.end_row == 20 && !result.fitted_scaler);
    options.part = PML_PART_TRAIN;
    options.mean = options.std = NULL;
    PML_ASSERT_OK(pml_evaluation_run(&series, "ramp", &options, &result, &error), &error);
    CU_ASSERT_EQUAL(result.windows, 6); /* 10 - 2 - 3 + 1: train looks back into nothing */
    CU_ASSERT_TRUE(result.fitted_scaler);
    CU_ASSERT_DOUBLE_EQUAL(result.mae, 2 / sqrt(99 / 12.0), 1e-12); /* population deviation of 0..9 */
    options.part = PML_PART_VAL;
    PML_ASSERT_OK(pml_evaluation_run(&series, "ramp", &options, &result, &error), &error);
    CU_ASSERT_EQUAL(result.windows, 2);
}

static void missing_targets_do_not_count_and_missing_inputs_are_named(void) {
    double values[20], mean = 0, std = 1;
    char *names[1];
    pml_series series = ramp(values, names, 20);
    pml_evaluation result;
    pml_error error = {0};
    pml_evaluate_options options = {.context_length = 1,
                                    .horizon = 1,
                                    .split = {10, 18, 20},
                                    .part = PML_PART_TEST,
                                    .mean = &mean,
                                    .std = &std,
                                    .n_scaled = 1,
                                    .batch_size = 8};
    values[19] = NAN;
    PML_ASSERT_OK(pml_evaluation_run(&series, "ramp", &options, &result, &error), &error);
    CU_ASSERT_TRUE(result.windows == 2 && result.n_values == 1);
    values[18] = NAN;
    PML_ASSERT_FAILS(pml_evaluation_run(&series, "ramp", &options, &result, &error), PML_E_FORMAT, &error, "missing");
    values[19] = 19;
    PML_ASSERT_FAILS(pml_evaluation_run(&series, "ramp", &options, &result, &error), PML_E_UNSUPPORTED, &error,
                     "row 18, column 'x'");
}

static void what_does_not_fit_is_an_error(void) {
    double values[20], mean = 0, std = 1;
    char *names[1];
    pml_series series = ramp(values, names, 20);
    pml_evaluation result;
    pml_error error = {0};
    const pml_evaluate_options good = {.context_length = 2,
                                       .horizon = 3,
                                       .split = {10, 14, 20},
                                       .part = PML_PART_TEST,
                                       .mean = &mean,
                                       .std = &std,
                                       .n_scaled = 1,
                                       .batch_size = 3};
    pml_evaluate_options o = good;
    o.horizon = 7;
    PML_ASSERT_FAILS(pml_evaluation_run(&series, "ramp", &o, &result, &error), PML_E_FORMAT, &error, "hold no window");
    o = good;
    o.context_length = 15;
    PML_ASSERT_FAILS(pml_evaluation_run(&series, "ramp", &o, &result, &error), PML_E_FORMAT, &error, "look-back");
    o = good;
    o.context_length = SIZE_MAX;
    o.part = PML_PART_TRAIN;
    PML_ASSERT_FAILS(pml_evaluation_run(&series, "ramp", &o, &result, &error), PML_E_FORMAT, &error, "hold no window");
    o = good;
    o.horizon = SIZE_MAX;
    PML_ASSERT_FAILS(pml_evaluation_run(&series, "ramp", &o, &result, &error), PML_E_FORMAT, &error, "hold no window");
    o = good;
    o.n_scaled = 2;
    PML_ASSERT_FAILS(pml_evaluation_run(&series, "ramp", &o, &result, &error), PML_E_FORMAT, &error, "scaler has 2");
    o = good;
    o.batch_size = 0;
    PML_ASSERT_FAILS(pml_evaluation_run(&series, "ramp", &o, &result, &error), PML_E_ARGUMENT, &error, "batch");
    o = good;
    o.split.test_end = 21;
    PML_ASSERT_FAILS(pml_evaluation_run(&series, "ramp", &o, &result, &error), PML_E_ARGUMENT, &error, "split");
    pml_cancel_request();
    PML_ASSERT_FAILS(pml_evaluation_run(&series, "ramp", &good, &result, &error), PML_E_INTERRUPTED, &error, NULL);
    pml_cancel_reset();
}

/* The published figures of repeating the last value, to 4 decimals. */
static void repeats_the_last_value_of_ett(void) {
    static const struct {
        const char *file;
        size_t horizon;
        double mse, mae;
        uint64_t windows;
    } rows[] = {
        {"ETTh1", 96, 1.2944, 0.7132, 2785},  {"ETTh1", 192, 1.3249, 0.7331, 2689},
        {"ETTh1", 336, 1.3299, 0.7460, 2545}, {"ETTh1", 720, 1.3351, 0.7550, 2161},
        {"ETTh2", 96, 0.4317, 0.4216, 2785},  {"ETTh2", 192, 0.5337, 0.4725, 2689},
        {"ETTh2", 336, 0.5973, 0.5109, 2545}, {"ETTh2", 720, 0.5945, 0.5190, 2161},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *path = pml_test_data(pml_test_path("ETT/%s.csv", rows[i].file));
        if (path == NULL) {
            pml_test_skip("PML_DATA is not set");
            return;
        }
        pml_series *series = NULL;
        pml_evaluation result = {0};
        pml_error error = {0};
        pml_evaluate_options options = {
            .context_length = 336, .horizon = rows[i].horizon, .part = PML_PART_TEST, .batch_size = 32};
        PML_ASSERT_OK(pml_series_read(path, NULL, &series, &error), &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(series);
        PML_ASSERT_OK(pml_split_parse("ett-hour", series->n_rows, &options.split, &error), &error);
        PML_ASSERT_OK(pml_evaluation_run(series, rows[i].file, &options, &result, &error), &error);
        CU_ASSERT_DOUBLE_EQUAL(result.mse, rows[i].mse, 5.001e-5);
        CU_ASSERT_DOUBLE_EQUAL(result.mae, rows[i].mae, 5.001e-5);
        CU_ASSERT_EQUAL(result.windows, rows[i].windows);
        pml_series_destroy(series);
    }
}

PML_TESTS("runtime/series/evaluate", PML_TEST(baseline_by_hand),
          PML_TEST(missing_targets_do_not_count_and_missing_inputs_are_named), PML_TEST(what_does_not_fit_is_an_error),
          PML_TEST(repeats_the_last_value_of_ett))
