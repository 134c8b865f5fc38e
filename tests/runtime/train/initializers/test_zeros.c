/* All 0. */
#include "tests/runtime/train/initializers/initializer_case.h"

static float values[N_VALUES];

static void all_are_zeros(void) {
    fill_matrix("zeros", values);
    check_values(values, 0, 0, 0, 0);
}

PML_TESTS("train/initializers/zeros", PML_TEST(all_are_zeros))
