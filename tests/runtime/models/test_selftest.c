#include "runtime/models/selftest.h"

#include "tests/runtime/models/patchtst_builder.h"

enum { B = 2, COUNT = B * S * C };

static float values[B * T * C], recorded[COUNT];
static double truth[COUNT];
static opened o;
static pml_selftest_report report;

/* A model and what it computes, as records of a framework that is `framework_error` off. */
static void begin(const build *b, double framework_error) {
    o = open_model(b, NULL);
    fill_series(values, B);
    PML_ASSERT_OK(pml_model_run(o.model, (const pml_array[]){series(values, B)}, 1, &error), &error);
    for (size_t i = 0; i < COUNT; i++) {
        truth[i] = (double)pml_model_output(o.model, "prediction_outputs")->data[i];
        recorded[i] = (float)(truth[i] + (i == 5 ? framework_error : 0));
    }
}

static pml_vector vector(const char *name, pml_dtype dtype, const void *bytes) {
    return (pml_vector){.name = name, .dtype = dtype, .rank = 3, .shape = {B, S, C}, .bytes = bytes};
}

static pml_vector input(void) {
    return (pml_vector){
        .name = "in.past_values", .dtype = PML_DTYPE_F32, .rank = 3, .shape = {B, T, C}, .bytes = values};
}

/* Runs the given records; true when exactly one output was judged and passed. */
static bool passes(const pml_vector *vectors, size_t n_vectors) {
    PML_ASSERT_OK(pml_selftest_run(o.model, vectors, n_vectors, &report, &error), &error);
    bool passed = report.count == 1 && report.n_failed == 0 && report.results[0].passed;
    CU_ASSERT_EQUAL(report.count, 1);
    CU_ASSERT_EQUAL(report.n_failed, passed ? 0 : 1);
    pml_selftest_report_deinit(&report);
    return passed;
}

#define OUT "out.prediction_outputs"
#define OUT64 "out64.prediction_outputs"

static void four_times_the_frameworks_error_is_allowed(void) {
    begin(&(build){0}, 1e-2);
    double original = truth[9];
    for (int k = 0; k < 2; k++) {
        truth[9] = original + (k == 0 ? 3.9e-2 : 4.1e-2);
        recorded[9] = (float)truth[9];
        CU_ASSERT_EQUAL(passes((const pml_vector[]){input(), vector(OUT, PML_DTYPE_F32, recorded),
                                                    vector(OUT64, PML_DTYPE_F64, truth)},
                               3),
                        k == 0);
    }
    close_model(&o);
}

static void an_exact_framework_leaves_a_millionth(void) {
    begin(&(build){0}, 0);
    double greatest = 0;
    for (size_t i = 0; i < COUNT; i++) {
        greatest = fmax(greatest, fabs(truth[i]));
    }
    double original = truth[9];
    for (int k = 0; k < 2; k++) {
        truth[9] = original + (k == 0 ? 0.9e-6 : 1.2e-6) * greatest;
        CU_ASSERT_EQUAL(passes((const pml_vector[]){input(), vector(OUT64, PML_DTYPE_F64, truth)}, 2), k == 0);
    }
    truth[9] = original;
    float saved = recorded[9];
    for (int k = 0; k < 2; k++) { /* without F64, a hundred thousandth */
        recorded[9] = saved + (float)((k == 0 ? 0.9e-5 : 1.2e-5) * greatest);
        CU_ASSERT_EQUAL(passes((const pml_vector[]){input(), vector(OUT, PML_DTYPE_F32, recorded)}, 2), k == 0);
    }
    close_model(&o);
}

static void bf16_models_are_judged_by_rms(void) {
    begin(&(build){.is_bf16 = true}, 0);
    for (int k = 0; k < 2; k++) {
        double factor = k == 0 ? 1.019 : 1.05;
        double shifted[COUNT];
        for (size_t i = 0; i < COUNT; i++) {
            shifted[i] = truth[i] * factor;
        }
        CU_ASSERT_EQUAL(passes((const pml_vector[]){input(), vector(OUT64, PML_DTYPE_F64, shifted)}, 2), k == 0);
    }
    close_model(&o);
}

static void nan_never_passes(void) {
    begin(&(build){0}, 0);
    truth[3] = (double)NAN;
    CU_ASSERT_FALSE(passes((const pml_vector[]){input(), vector(OUT64, PML_DTYPE_F64, truth)}, 2));
    close_model(&o);
}

/* Where the framework's own F32 result overflowed, it says nothing about what may be off. */
static void a_framework_that_overflowed_allows_nothing(void) {
    begin(&(build){0}, 0);
    recorded[5] = INFINITY;
    for (int k = 0; k < 2; k++) {
        truth[9] += k == 0 ? 0 : 1;
        recorded[9] = (float)truth[9];
        CU_ASSERT_EQUAL(passes((const pml_vector[]){input(), vector(OUT, PML_DTYPE_F32, recorded),
                                                    vector(OUT64, PML_DTYPE_F64, truth)},
                               3),
                        k == 0);
    }
    close_model(&o);
}

/* A derived output may have no data (see pml_model_run): if it was recorded nevertheless, it is not as recorded. */
static void an_absent_output_fails(void) {
    o = open_model(&(build){.distribution = "negative_binomial", .enlarge = "head.1.bias"}, NULL);
    fill_series(values, B);
    CU_ASSERT_FALSE(passes((const pml_vector[]){input(), vector("out.forecast", PML_DTYPE_F32, recorded)}, 2));
    close_model(&o);
}

static void outputs_that_cannot_be_compared_fail(void) {
    begin(&(build){0}, 0);
    pml_vector unknown = vector("out.regression_outputs", PML_DTYPE_F32, recorded),
               reshaped = vector(OUT, PML_DTYPE_F32, recorded);
    CU_ASSERT_FALSE(passes((const pml_vector[]){input(), unknown}, 2));
    reshaped.shape[1] = C;
    reshaped.shape[2] = S;
    CU_ASSERT_FALSE(passes((const pml_vector[]){input(), reshaped}, 2));
    reshaped = vector(OUT, PML_DTYPE_F32, recorded);
    reshaped.rank = 5; /* axes of size 1 do not matter */
    const uint64_t shape[] = {1, B, S, 1, C};
    memcpy(reshaped.shape, shape, sizeof shape);
    CU_ASSERT_TRUE(passes((const pml_vector[]){input(), reshaped}, 2));
    close_model(&o);
}

static void losses_and_unknown_inputs_are_no_business_of_it(void) {
    begin(&(build){0}, 0);
    pml_vector loss = {.name = "out.loss", .dtype = PML_DTYPE_F32, .bytes = recorded};
    pml_vector other = {.name = "in.future_values", .dtype = PML_DTYPE_I64, .rank = 1, .shape = {1}, .bytes = truth};
    PML_ASSERT_OK(pml_selftest_run(o.model, (const pml_vector[]){loss, other, input()}, 3, &report, &error), &error);
    CU_ASSERT_TRUE(report.count == 0 && report.n_failed == 0);
    pml_selftest_report_deinit(&report);
    PML_ASSERT_FAILS(pml_selftest_run(o.model, &other, 1, &report, &error), PML_E_ARGUMENT, &error, "past_values");
    close_model(&o);
}

static void inputs_of_every_dtype_are_widened(void) {
    begin(&(build){0}, 0);
    static uint8_t observed[B * T * C];
    static double wide[B * T * C];
    for (size_t i = 0; i < B * T * C; i++) {
        observed[i] = 1;
        wide[i] = (double)values[i];
    }
    pml_vector mask = input(), doubles = input();
    mask.name = "in.past_observed_mask";
    mask.dtype = PML_DTYPE_BOOL;
    mask.bytes = observed;
    doubles.dtype = PML_DTYPE_F64;
    doubles.bytes = wide;
    CU_ASSERT_TRUE(passes((const pml_vector[]){doubles, mask, vector(OUT64, PML_DTYPE_F64, truth)}, 3));
    mask.dtype = PML_DTYPE_F8_E4M3;
    PML_ASSERT_FAILS(pml_selftest_run(o.model, (const pml_vector[]){doubles, mask}, 2, &report, &error), PML_E_ARGUMENT,
                     &error, "in.past_observed_mask");
    close_model(&o);
}

static void only_rows_under_the_attention_mask_count(void) {
    begin(&(build){0}, 0);
    float flags[B * S];
    for (size_t i = 0; i < B * S; i++) {
        flags[i] = i != 4;
    }
    pml_vector mask = {.name = "in.attention_mask", .dtype = PML_DTYPE_F32, .rank = 2, .shape = {B, S}, .bytes = flags};
    truth[4 * C + 1] += 100;
    CU_ASSERT_TRUE(passes((const pml_vector[]){input(), mask, vector(OUT64, PML_DTYPE_F64, truth)}, 3));
    truth[5 * C] += 100;
    CU_ASSERT_FALSE(passes((const pml_vector[]){input(), mask, vector(OUT64, PML_DTYPE_F64, truth)}, 3));
    close_model(&o);
}

PML_TESTS("runtime/models/selftest", PML_TEST(four_times_the_frameworks_error_is_allowed),
          PML_TEST(an_exact_framework_leaves_a_millionth), PML_TEST(bf16_models_are_judged_by_rms),
          PML_TEST(nan_never_passes), PML_TEST(a_framework_that_overflowed_allows_nothing),
          PML_TEST(an_absent_output_fails), PML_TEST(outputs_that_cannot_be_compared_fail),
          PML_TEST(losses_and_unknown_inputs_are_no_business_of_it), PML_TEST(inputs_of_every_dtype_are_widened),
          PML_TEST(only_rows_under_the_attention_mask_count))
