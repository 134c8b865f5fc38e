/* All 1. */
#include "tests/runtime/train/initializers/initializer_case.h"

static float values[N_VALUES];

static void all_are_ones(void) {
    fill_matrix("ones", values);
    check_values(values, 1, 0, 1, 1);
}

PML_TESTS("train/initializers/ones", PML_TEST(all_are_ones))
