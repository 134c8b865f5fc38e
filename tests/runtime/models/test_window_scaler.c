#include "runtime/models/window_scaler.h"

#include "tests/runtime/models/series_model.h"

enum { T = 6, S = 2, C = 3 };

static series_model open_scaled(const char *setting) {
    return series_open("dlinear", (const char *const[]){"kind=nlinear", "head=prediction", "context_length=6",
                                                        "prediction_length=2", "share_linear=true", setting, NULL});
}

/* [T][C]: ordinary values; all but one are the same; all are the same. */
static const double window[T * C] = {3, 2, 4, -1, 2, 4, 4, 2, 4, 1, 2, 4, -5, 2, 4, 9, 7, 4};

/* What the temporal scalers of neuralforecast 3.3.0 make of it, in float64. */
static const struct {
    const char *setting;
    double scaled[C][T];
} cases[] = {{"window_scaler=standard",
              {{0.2690318, -0.6533629, 0.4996305, -0.1921656, -1.575758, 1.652624},
               {-0.4472134, -0.4472134, -0.4472134, -0.4472134, -0.4472134, 2.236067},
               {0}}},
             {"window_scaler=robust",
              {{0.9999995, -0.9999995, 1.499999, 0, -2.999999, 3.999998}, {0, 0, 0, 0, 0, 3.978236}, {0}}},
             {"window_scaler=minmax",
              {{0.5714285, 0.2857143, 0.6428571, 0.4285714, 0, 0.9999999}, {0, 0, 0, 0, 0, 0.9999998}, {0}}},
             {"window_scaler=minmax1",
              {{0.1428571, -0.4285715, 0.2857142, -0.1428572, -1, 0.9999999},
               {-1, -1, -1, -1, -1, 0.9999996},
               {-1, -1, -1, -1, -1, -1}}},
             {"window_scaler=invariant",
              {{0.8813732, -0.8813732, 1.194763, 0, -1.818446, 2.094712}, {0, 0, 0, 0, 0, 2.08942}, {0}}},
             {"window_scaler=identity", {{3, -1, 4, 1, -5, 9}, {2, 2, 2, 2, 2, 7}, {4, 4, 4, 4, 4, 4}}}};
enum { N_CASES = sizeof cases / sizeof cases[0] };

static void scales_and_restores(void) {
    for (size_t k = 0; k < N_CASES; k++) {
        series_model m = open_scaled(cases[k].setting);
        pml_window_units units = {0};
        float values[2 * T * C];
        for (size_t i = 0; i < 2 * T * C; i++) {
            values[i] = (float)window[i % (T * C)];
        }
        PML_ASSERT_OK(pml_window_units_init(&units, m.model, 2, T, C, &error), &error);
        pml_window_scale(&units, 1, T, values + T * C, NULL);
        for (size_t i = 0; i < T * C; i++) {
            const double expected = cases[k].scaled[i % C][i / C];
            CU_ASSERT_EQUAL(values[i], (float)window[i]); /* the other window's */
            CU_ASSERT_DOUBLE_EQUAL((double)values[T * C + i], expected, 1e-6 * (1 + fabs(expected)));
            CU_ASSERT_DOUBLE_EQUAL(pml_window_restore(&units, 1, i % C, (double)values[T * C + i]), window[i], 3e-6);
        }
        pml_window_units_deinit(&units);
        series_close(&m);
    }
}

static void masked_values_do_not_count(void) {
    static const double expected[T] = {-0.05933907, -1.24612, 0.2373563, -0.6527297, 0, 1.720833};
    series_model m = open_scaled("window_scaler=standard");
    pml_window_units units = {0};
    float values[T] = {3, -1, 4, 1, 0, 9};
    static const float mask[T] = {1, 1, 1, 1, 0, 1}, none[T] = {0};
    PML_ASSERT_OK(pml_window_units_init(&units, m.model, 1, T, 1, &error), &error);
    pml_window_scale(&units, 0, T, values, mask);
    for (size_t i = 0; i < T; i++) {
        CU_ASSERT_DOUBLE_EQUAL((double)values[i], expected[i], 1e-6);
    }
    pml_window_scale(&units, 0, T, values, none);
    CU_ASSERT_EQUAL(pml_window_restore(&units, 0, 0, 5), 5);
    pml_window_units_deinit(&units);
    series_close(&m);
}

/* A forecast is the network's, of the scaled window, restored; a plain run of the network knows nothing of it. */
static void surrounds_the_network(void) {
    for (size_t k = 0; k < N_CASES; k++) {
        series_model m = open_scaled(cases[k].setting);
        pml_window_units units = {0};
        float values[T * C];
        double forecast[S * C];
        PML_ASSERT_OK(pml_model_forecast(m.model, window, T, C, forecast, &error), &error);
        for (size_t i = 0; i < T * C; i++) {
            values[i] = (float)window[i];
        }
        PML_ASSERT_OK(pml_window_units_init(&units, m.model, 1, T, C, &error), &error);
        pml_window_scale(&units, 0, T, values, NULL);
        const pml_array input = {.name = "x", .data = values, .rank = 3, .shape = {1, T, C}};
        PML_ASSERT_OK(pml_model_run(m.model, &input, 1, &error), &error);
        const float *output = pml_model_output(m.model, "y")->data;
        for (size_t i = 0; i < S * C; i++) {
            CU_ASSERT_EQUAL(forecast[i], pml_window_restore(&units, 0, i % C, (double)output[i]));
        }
        pml_window_units_deinit(&units);
        series_close(&m);
    }
}

PML_TESTS("runtime/models/window_scaler", PML_TEST(scales_and_restores), PML_TEST(masked_values_do_not_count),
          PML_TEST(surrounds_the_network))
