#include "tests/runtime/models/patchtst_builder.h"

static const double means[C] = {10, -3, 100}, deviations[C] = {2, 0.5, 30}; /* as patchtst_builder.h stores them */

static void fill_context(double *context) {
    static float raw[T * C];
    fill_series(raw, 1);
    for (size_t i = 0; i < T * C; i++) {
        context[i] = (double)raw[i] * 5 + means[i % C];
    }
}

static void works_in_the_units_of_the_data(void) {
    opened o = open_model(&(build){.has_scaler = true}, NULL);
    double context[T * C], forecast[S * C];
    float scaled[T * C];
    fill_context(context);
    PML_ASSERT_OK(pml_model_forecast(o.model, context, T, C, forecast, &error), &error);
    for (size_t i = 0; i < T * C; i++) {
        scaled[i] = (float)((context[i] - means[i % C]) / deviations[i % C]);
    }
    PML_ASSERT_OK(pml_model_run(o.model, (const pml_array[]){series(scaled, 1)}, 1, &error), &error);
    const float *output = pml_model_output(o.model, "prediction_outputs")->data;
    for (size_t i = 0; i < S * C; i++) {
        CU_ASSERT_EQUAL(forecast[i], (double)output[i] * deviations[i % C] + means[i % C]);
    }
    close_model(&o);
}

static void without_a_scaler_values_pass_as_they_are(void) {
    opened o = open_model(&(build){.distribution = "student_t"}, NULL);
    double context[T * C], forecast[S * C];
    float same[T * C];
    fill_context(context);
    PML_ASSERT_OK(pml_model_forecast(o.model, context, T, C, forecast, &error), &error);
    for (size_t i = 0; i < T * C; i++) {
        same[i] = (float)context[i];
    }
    PML_ASSERT_OK(pml_model_run(o.model, (const pml_array[]){series(same, 1)}, 1, &error), &error);
    for (size_t i = 0; i < S * C; i++) { /* of a distribution, its mean */
        CU_ASSERT_EQUAL(forecast[i], (double)pml_model_output(o.model, "forecast")->data[i]);
    }
    close_model(&o);
}

static void missing_values_are_masked(void) {
    opened o = open_model(&(build){.has_scaler = true}, NULL);
    double context[T * C], forecast[S * C];
    float scaled[T * C], observed[T * C];
    fill_context(context);
    for (size_t i = 0; i < T * C; i++) {
        bool is_missing = i % 9 == 4;
        scaled[i] = is_missing ? 0 : (float)((context[i] - means[i % C]) / deviations[i % C]);
        observed[i] = is_missing ? 0 : 1;
        context[i] = is_missing ? (double)NAN : context[i];
    }
    pml_array mask = series(observed, 1);
    mask.name = "past_observed_mask";
    PML_ASSERT_OK(pml_model_forecast(o.model, context, T, C, forecast, &error), &error);
    PML_ASSERT_OK(pml_model_run(o.model, (const pml_array[]){series(scaled, 1), mask}, 2, &error), &error);
    const float *output = pml_model_output(o.model, "prediction_outputs")->data;
    for (size_t i = 0; i < S * C; i++) {
        CU_ASSERT_EQUAL(forecast[i], (double)output[i] * deviations[i % C] + means[i % C]);
    }
    close_model(&o);
}

static void tells_its_shape(void) {
    opened o = open_model(&(build){0}, NULL);
    pml_forecast_shape shape = {0};
    PML_ASSERT_OK(pml_model_forecast_shape(o.model, &shape, &error), &error);
    CU_ASSERT_TRUE(shape.context_length == T && shape.n_channels == C && shape.horizon == S);
    close_model(&o);
    o = open_model(&(build){.head = "classification", .pooling = "mean"}, NULL);
    double context[T * C] = {0}, forecast[S * C];
    PML_ASSERT_FAILS(pml_model_forecast_shape(o.model, &shape, &error), PML_E_UNSUPPORTED, &error, "does not forecast");
    PML_ASSERT_FAILS(pml_model_forecast(o.model, context, T, C, forecast, &error), PML_E_UNSUPPORTED, &error, NULL);
    close_model(&o);
}

static void refuses_what_it_cannot_forecast_from(void) {
    opened o = open_model(&(build){.has_scaler = true}, NULL);
    double context[T * C], forecast[S * C] = {0};
    fill_context(context);
    PML_ASSERT_FAILS(pml_model_forecast(o.model, context, T - 1, C, forecast, &error), PML_E_ARGUMENT, &error, "30");
    PML_ASSERT_FAILS(pml_model_forecast(o.model, context, T, C - 1, forecast, &error), PML_E_ARGUMENT, &error,
                     "3 channels");
    context[7 * C + 1] = (double)INFINITY;
    PML_ASSERT_FAILS(pml_model_forecast(o.model, context, T, C, forecast, &error), PML_E_NUMERIC, &error,
                     "step 7 of channel 1");
    context[7 * C + 1] = 1e300;
    PML_ASSERT_FAILS(pml_model_forecast(o.model, context, T, C, forecast, &error), PML_E_NUMERIC, &error,
                     "step 7 of channel 1");
    for (size_t i = 0; i < S * C; i++) {
        CU_ASSERT_EQUAL(forecast[i], 0.0);
    }
    close_model(&o);
}

static void a_forecast_that_overflows_is_an_error(void) {
    opened o = open_model(&(build){.distribution = "negative_binomial", .enlarge = "head.1.bias"}, NULL);
    double context[T * C], forecast[S * C] = {0};
    fill_context(context);
    PML_ASSERT_FAILS(pml_model_forecast(o.model, context, T, C, forecast, &error), PML_E_NUMERIC, &error,
                     "output 'forecast' is not finite");
    for (size_t i = 0; i < S * C; i++) {
        CU_ASSERT_EQUAL(forecast[i], 0.0);
    }
    close_model(&o);
}

static void refuses_a_scaler_that_cannot_scale(void) {
    opened o = open_model(&(build){.has_scaler = true, .drop_key = "series.std"}, NULL);
    double context[T * C], forecast[S * C];
    fill_context(context);
    PML_ASSERT_FAILS(pml_model_forecast(o.model, context, T, C, forecast, &error), PML_E_CONFIG, &error,
                     "differ in length");
    close_model(&o);
}

static void repeated_forecasts_allocate_nothing(void) {
    opened o = open_model(&(build){.has_scaler = true}, NULL);
    double context[T * C], forecast[S * C], again[S * C];
    fill_context(context);
    context[0] = (double)NAN;
    PML_ASSERT_OK(pml_model_forecast(o.model, context, T, C, forecast, &error), &error);
    uint64_t before = pml_allocation_count();
    PML_ASSERT_OK(pml_model_forecast(o.model, context, T, C, again, &error), &error);
    CU_ASSERT_EQUAL(pml_allocation_count(), before);
    CU_ASSERT_EQUAL(memcmp(forecast, again, sizeof forecast), 0);
    close_model(&o);
}

PML_TESTS("runtime/models/forecast", PML_TEST(works_in_the_units_of_the_data),
          PML_TEST(without_a_scaler_values_pass_as_they_are), PML_TEST(missing_values_are_masked),
          PML_TEST(tells_its_shape), PML_TEST(refuses_what_it_cannot_forecast_from),
          PML_TEST(a_forecast_that_overflows_is_an_error), PML_TEST(refuses_a_scaler_that_cannot_scale),
          PML_TEST(repeated_forecasts_allocate_nothing))
