/* Normal numbers. */
#include "tests/runtime/train/initializers/initializer_case.h"

static float values[N_VALUES];

static void has_its_moments(void) {
    fill_matrix("normal:mean=2,std=0.02", values);
    check_values(values, 2, .02, 1.9, 2.1);
    check_seeds("normal");
    size_t n_beyond = 0;
    for (size_t i = 0; i < N_VALUES; i++) {
        n_beyond += fabs((double)values[i] - 2) > .04;
    }
    const double share = .0455;
    CU_ASSERT_TRUE(fabs((double)n_beyond / N_VALUES - share) < 5 * sqrt(share / N_VALUES));
}

PML_TESTS("train/initializers/normal", PML_TEST(has_its_moments))
