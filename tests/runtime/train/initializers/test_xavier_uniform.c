/* Variance by both fans, even. */
#include "tests/runtime/train/initializers/initializer_case.h"

static float values[N_VALUES];

static void bound_is_that_of_both_fans(void) {
    const double bound = sqrt(6. / (N_ROWS + N_COLUMNS));
    fill_matrix("xavier_uniform", values);
    check_values(values, 0, bound / sqrt(3), -bound, bound);
    fill_matrix("xavier_uniform:gain=2", values);
    check_values(values, 0, 2 * bound / sqrt(3), -2 * bound, 2 * bound);
    check_seeds("xavier_uniform");
}

/* [taps * in][out] with 3 taps: fan_in 150, fan_out 750. */
static void taps_count_in_both_fans(void) {
    const pml_initializer_target target = pml_initializer_target_convolution(3, N_ROWS / 3, N_COLUMNS);
    CU_ASSERT_TRUE(target.fan_in == N_ROWS && target.fan_out == 3 * N_COLUMNS);
    fill_with("xavier_uniform", &target, 1, 2, 1, values);
    const double bound = sqrt(6. / (N_ROWS + 3 * N_COLUMNS));
    check_values(values, 0, bound / sqrt(3), -bound, bound);
}

PML_TESTS("train/initializers/xavier_uniform", PML_TEST(bound_is_that_of_both_fans), PML_TEST(taps_count_in_both_fans))
