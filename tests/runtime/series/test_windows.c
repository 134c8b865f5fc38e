#include "runtime/series/windows.h"

#include <math.h>

#include "tests/harness.h"

static void splits(void) {
    pml_split split;
    pml_error error = {0};
    PML_ASSERT_OK(pml_split_parse("ett-hour", 17420, &split, &error), &error);
    CU_ASSERT_TRUE(split.train_end == 8640 && split.val_end == 11520 && split.test_end == 14400);
    PML_ASSERT_OK(pml_split_parse("ett-minute", 69680, &split, &error), &error);
    CU_ASSERT_TRUE(split.train_end == 34560 && split.val_end == 46080 && split.test_end == 57600);
    PML_ASSERT_OK(pml_split_parse("0.7,0.1,0.2", 999, &split, &error), &error);
    CU_ASSERT_TRUE(split.train_end == 699 && split.val_end == 800 && split.test_end == 999);
    PML_ASSERT_OK(pml_split_parse(".6,0.2,2e-1", 10, &split, &error), &error);
    CU_ASSERT_TRUE(split.train_end == 6 && split.val_end == 8);
    PML_ASSERT_FAILS(pml_split_parse("ett-hour", 14399, &split, &error), PML_E_FORMAT, &error, "needs 14400 rows");
    static const char *const wrong[] = {"",         "ett",          "0.7,0.3", "0.7,0.1,0.2,0", "0.7,0.1,0.3",
                                        "1,,0",     "0.7,0.1,0.2 ", "-1,1,1",  "nan,0,1",       "0.7;0.1;0.2",
                                        "0.7,0.1,", "1e0,0,0x0"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        PML_ASSERT_FAILS(pml_split_parse(wrong[i], 1000, &split, &error), PML_E_ARGUMENT, &error, "a split is");
    }
}

static pml_series of_values(double *values, char **columns, size_t n_rows, size_t n_columns) {
    return (pml_series){.n_rows = n_rows, .n_columns = n_columns, .columns = columns, .values = values};
}

/* The windows of ETTh1 (17420 hours). The sizes that papers print for a look-back of 96, (8545, 2881, 2881), are
 * these and the horizon that they leave aside. */
static void windows_of_the_papers(void) {
    static const struct {
        size_t context_length, horizon, windows[3], first_rows[3];
    } rows[] = {{96, 96, {8449, 2785, 2785}, {0, 8544, 11424}},
                {336, 96, {8209, 2785, 2785}, {0, 8304, 11184}},
                {96, 720, {7825, 2161, 2161}, {0, 8544, 11424}}};
    static const size_t ends[] = {8640, 11520, 14400}, printed[] = {8545, 2881, 2881};
    const pml_series series = of_values(NULL, NULL, 17420, 7);
    pml_split split;
    pml_error error = {0};
    PML_ASSERT_OK(pml_split_parse("ett-hour", series.n_rows, &split, &error), &error);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (pml_part part = PML_PART_TRAIN; part <= PML_PART_TEST; part++) {
            pml_window_rows found = {0};
            PML_ASSERT_OK(
                pml_windows_place(&series, "h1", &split, part, rows[i].context_length, rows[i].horizon, &found, &error),
                &error);
            CU_ASSERT_EQUAL(found.n_windows, rows[i].windows[part]);
            CU_ASSERT_EQUAL(found.first_row, rows[i].first_rows[part]);
            CU_ASSERT_EQUAL(found.end_row, ends[part]);
            if (rows[i].context_length == 96) {
                CU_ASSERT_EQUAL(found.n_windows + rows[i].horizon, printed[part]);
            }
        }
    }
}

static void a_part_without_windows_is_an_error(void) {
    const pml_series series = of_values(NULL, NULL, 20, 1);
    const pml_split split = {10, 14, 20}, wrong = {10, 9, 20}, beyond = {10, 14, 21};
    pml_window_rows rows;
    pml_error error = {0};
    PML_ASSERT_OK(pml_windows_place(&series, "s", &split, PML_PART_VAL, 10, 4, &rows, &error), &error);
    CU_ASSERT_TRUE(rows.n_windows == 1 && rows.first_row == 0 && rows.end_row == 14);
    PML_ASSERT_FAILS(pml_windows_place(&series, "s", &split, PML_PART_VAL, 10, 5, &rows, &error), PML_E_FORMAT, &error,
                     "hold no window of 10 + 5 rows");
    PML_ASSERT_FAILS(pml_windows_place(&series, "s", &split, PML_PART_VAL, 11, 1, &rows, &error), PML_E_FORMAT, &error,
                     "only 10 rows come before");
    PML_ASSERT_FAILS(pml_windows_place(&series, "s", &split, PML_PART_TRAIN, SIZE_MAX, 1, &rows, &error), PML_E_FORMAT,
                     &error, "hold no window");
    PML_ASSERT_FAILS(pml_windows_place(&series, "s", &wrong, PML_PART_TEST, 1, 1, &rows, &error), PML_E_ARGUMENT,
                     &error, "does not fit");
    PML_ASSERT_FAILS(pml_windows_place(&series, "s", &beyond, PML_PART_TEST, 1, 1, &rows, &error), PML_E_ARGUMENT,
                     &error, "does not fit");
    PML_ASSERT_FAILS(pml_windows_place(&series, "s", &split, PML_PART_TEST, 0, 1, &rows, &error), PML_E_ARGUMENT,
                     &error, "at least 1");
    PML_ASSERT_FAILS(pml_windows_place(&series, "s", &split, PML_PART_TEST, 1, 0, &rows, &error), PML_E_ARGUMENT,
                     &error, "at least 1");
}

static void scaler_by_hand(void) {
    char *columns[] = {(char[]){"a"}, (char[]){"b"}};
    double values[] = {1, 10, 2, NAN, 3, 30, 100, 7}, mean[2], std[2], scaled[6];
    const pml_series series = of_values(values, columns, 4, 2);
    pml_error error = {0};
    PML_ASSERT_OK(pml_scaler_fit(&series, "s", 3, PML_CONSTANT_REFUSED, mean, std, &error), &error);
    CU_ASSERT_TRUE(mean[0] == 2 && mean[1] == 20 && std[1] == 10); /* of population: 2 values, not 1 less */
    CU_ASSERT_DOUBLE_EQUAL(std[0], sqrt(2.0 / 3), 1e-15);
    PML_ASSERT_OK(pml_scaler_apply(&series, "s", mean, std, 1, 3, false, scaled, &error), &error);
    CU_ASSERT_TRUE(scaled[0] == 0 && isnan(scaled[1]) && scaled[3] == 1);
    CU_ASSERT_TRUE(scaled[4] == (100 - mean[0]) / std[0]);
    PML_ASSERT_OK(pml_scaler_apply(&series, "s", mean, std, 3, 1, true, scaled, &error), &error);
    CU_ASSERT_TRUE(scaled[0] == (double)(float)((100 - mean[0]) / std[0]));
    values[6] = 1e300;
    PML_ASSERT_OK(pml_scaler_apply(&series, "s", mean, std, 3, 1, false, scaled, &error), &error);
    PML_ASSERT_FAILS(pml_scaler_apply(&series, "s", mean, std, 3, 1, true, scaled, &error), PML_E_FORMAT, &error,
                     "row 3, column 'a': 1e+300 is too large");
    values[3] = values[1] = values[5] = NAN;
    PML_ASSERT_FAILS(pml_scaler_fit(&series, "s", 3, PML_CONSTANT_SHIFTED, mean, std, &error), PML_E_FORMAT, &error,
                     "s, column 'b': no value in the train rows");
}

/* 0.1 has a mean that rounding takes away from it, and so a deviation above 0. */
static void a_constant_column_is_known_by_its_values(void) {
    char *columns[] = {(char[]){"x"}};
    double values[11], mean, std;
    for (size_t i = 0; i < 11; i++) {
        values[i] = i < 10 ? 0.1 : 5;
    }
    const pml_series series = of_values(values, columns, 11, 1);
    pml_error error = {0};
    PML_ASSERT_OK(pml_scaler_fit(&series, "s", 10, PML_CONSTANT_SHIFTED, &mean, &std, &error), &error);
    CU_ASSERT_EQUAL(std, 1);
    PML_ASSERT_FAILS(pml_scaler_fit(&series, "s", 10, PML_CONSTANT_REFUSED, &mean, &std, &error), PML_E_FORMAT, &error,
                     "s, column 'x': 0.1 in all 10 train rows");
    PML_ASSERT_OK(pml_scaler_fit(&series, "s", 11, PML_CONSTANT_REFUSED, &mean, &std, &error), &error);
}

PML_TESTS("runtime/series/windows", PML_TEST(splits), PML_TEST(windows_of_the_papers),
          PML_TEST(a_part_without_windows_is_an_error), PML_TEST(scaler_by_hand),
          PML_TEST(a_constant_column_is_known_by_its_values))
