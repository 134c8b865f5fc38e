/* Variance by one fan, normal. */
#include "tests/runtime/train/initializers/initializer_case.h"

static float values[N_VALUES];

static void deviation_is_that_of_its_fan(void) {
    const double deviation = sqrt(2. / N_ROWS);
    fill_matrix("kaiming_normal:nonlinearity=relu,a=3", values);
    check_values(values, 0, deviation, -6 * deviation, 6 * deviation);
    fill_matrix("kaiming_normal:mode=fan_out,nonlinearity=sigmoid", values);
    check_values(values, 0, sqrt(1. / N_COLUMNS), -1, 1);
    check_seeds("kaiming_normal");
}

static void needs_a_fan(void) {
    const pml_initializer *initializer;
    pml_settings settings;
    pml_error error;
    pml_context context = {0};
    const pml_initializer_target target = pml_initializer_target_vector(3, 0);
    PML_ASSERT_OK(pml_initializer_choose("kaiming_normal", &initializer, &settings, &error), &error);
    PML_ASSERT_FAILS(pml_initializer_run(initializer, &settings, &target, 1, 1, values, &context, &error),
                     PML_E_ARGUMENT, &error, "a fan-in of 0");
}

PML_TESTS("train/initializers/kaiming_normal", PML_TEST(deviation_is_that_of_its_fan), PML_TEST(needs_a_fan))
