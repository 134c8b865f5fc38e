/* Normal numbers between two values. */
#include "tests/runtime/train/initializers/initializer_case.h"

static float values[N_VALUES];

static void is_cut_at_its_bounds(void) {
    fill_matrix("truncated_normal", values);
    /* Variance 1 - 4 phi(2) / (2 Phi(2) - 1). */
    const double phi = exp(-2) / sqrt(2 * acos(-1));
    check_values(values, 0, sqrt(1 - 4 * phi / erf(sqrt(2))), -2, 2);
    fill_matrix("truncated_normal:std=0.02", values);
    check_values(values, 0, .02, -.1, .1);
    check_seeds("truncated_normal");
}

static void of_one_side(void) {
    fill_matrix("truncated_normal:mean=1,std=2,min=1,max=100", values);
    check_values(values, 1 + 2 * sqrt(2 / acos(-1)), 2 * sqrt(1 - 2 / acos(-1)), 1, 12);
    check_refusal("truncated_normal:min=2,max=1", "is between 2 and 1");
    check_refusal("truncated_normal:min=8,max=9", "less than a millionth");
}

PML_TESTS("train/initializers/truncated_normal", PML_TEST(is_cut_at_its_bounds), PML_TEST(of_one_side))
