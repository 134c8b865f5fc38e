/* PyTorch's default for Linear and Conv. */
#include "tests/runtime/train/initializers/initializer_case.h"

static float values[N_VALUES];

static void weights_and_biases_share_the_bound(void) {
    const double bound = 1 / sqrt(N_ROWS);
    fill_matrix("fan_in_uniform", values);
    check_values(values, 0, bound / sqrt(3), -bound, bound);
    const pml_initializer_target bias = pml_initializer_target_vector(N_VALUES, N_ROWS);
    fill_with("fan_in_uniform", &bias, 1, 3, 1, values);
    check_values(values, 0, bound / sqrt(3), -bound, bound);
    check_seeds("fan_in_uniform");
}

PML_TESTS("train/initializers/fan_in_uniform", PML_TEST(weights_and_biases_share_the_bound))
