/* Likelihood under a Student t density, for any number of degrees of freedom. */
#include "tests/runtime/train/losses/loss_case.h"

static double at(const pml_loss *loss, const pml_settings *settings, pml_context *context, float df, float *slope) {
    const float loc = .5f, scale = 2, target = 3;
    double value = NAN;
    pml_error error;
    const pml_loss_operands operands = {.n_terms = 1,
                                        .predictions = {&df, &loc, &scale},
                                        .width = 1,
                                        .target = &target,
                                        .gradients = {slope},
                                        .reduction = PML_REDUCTION_SUM};
    PML_ASSERT_OK(pml_loss_compute(loss, settings, &operands, context, &value, &error), &error);
    return value;
}

static void any_degrees_of_freedom(void) {
    const pml_loss *loss;
    pml_settings settings;
    pml_context context = make_context(1);
    float slope, unused;
    (void)plain_oracle(&loss, &settings);
    for (float df = .01f; df < 1e5f; df *= 1.5f) {
        const double half = (double)df / 2, z = 1.25;
        const double expected = log(2) + .5 * log((double)df) + .5 * log(acos(-1)) -
                                (lgamma(half + .5) - lgamma(half)) + (half + .5) * log1p(z * z / (double)df);
        CU_ASSERT_TRUE(fabs(at(loss, &settings, &context, df, &slope) - expected) <= 1e-9 * fabs(expected));
        const float above = df * 1.001f, below = df * .999f;
        const double numeric =
            (at(loss, &settings, &context, above, &unused) - at(loss, &settings, &context, below, &unused)) /
            ((double)above - (double)below);
        CU_ASSERT_TRUE(fabs((double)slope - numeric) <= 1e-4 * fabs(numeric) + 1e-11);
    }
    /* Near a normal density at last; no number below. */
    const double normal = 1.25 * 1.25 / 2 + log(2) + .5 * log(2 * acos(-1));
    CU_ASSERT_TRUE(fabs(at(loss, &settings, &context, 1e30f, &slope) - normal) < 1e-9);
    CU_ASSERT_TRUE(isnan(at(loss, &settings, &context, 0, &slope)) && isnan(slope));
    CU_ASSERT_TRUE(isnan(at(loss, &settings, &context, -1e30f, &slope)) && isnan(slope));
    pml_context_deinit(&context);
}

LOSS_TESTS("student_t_nll", PML_TEST(any_degrees_of_freedom))
