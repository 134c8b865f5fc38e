/* One value. */
#include "tests/runtime/train/initializers/initializer_case.h"

static float values[N_VALUES];

static void all_are_that_value(void) {
    fill_matrix("constant:value=-0.5", values);
    check_values(values, -.5, 0, -.5, -.5);
    check_refusal("constant", "needs value=...");
}

PML_TESTS("train/initializers/constant", PML_TEST(all_are_that_value))
