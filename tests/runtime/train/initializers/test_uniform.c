/* Evenly between bounds. */
#include "tests/runtime/train/initializers/initializer_case.h"

static float values[N_VALUES];

static void fills_its_range(void) {
    fill_matrix("uniform:min=-1,max=3", values);
    check_values(values, 1, 4 / sqrt(12), -1, 3);
    fill_matrix("uniform", values);
    check_values(values, .5, 1 / sqrt(12), 0, 1);
    check_seeds("uniform");
    check_refusal("uniform:min=2", "min 2 is above max 1");
}

PML_TESTS("train/initializers/uniform", PML_TEST(fills_its_range))
