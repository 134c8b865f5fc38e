/* Sines and cosines of positions. */
#include "tests/runtime/train/initializers/initializer_case.h"

static float values[N_VALUES];

static void has_the_sines_of_the_paper(void) {
    fill_matrix("sines", values);
    bool is_right = true;
    for (size_t p = 0; p < N_ROWS; p++) {
        for (size_t k = 0; 2 * k + 1 < N_COLUMNS; k++) {
            const double angle = (double)p / pow(10000, 2 * (double)k / N_COLUMNS);
            is_right = is_right && fabs((double)values[p * N_COLUMNS + 2 * k] - sin(angle)) < 1e-6 &&
                       fabs((double)values[p * N_COLUMNS + 2 * k + 1] - cos(angle)) < 1e-6;
        }
    }
    CU_ASSERT_TRUE(is_right);
}

static void centred_ones_have_mean_0_and_deviation_a_tenth(void) {
    double sum = 0, squares = 0;
    fill_matrix("sines:centred=true", values);
    for (size_t i = 0; i < N_VALUES; i++) {
        sum += (double)values[i];
        squares += (double)values[i] * (double)values[i];
    }
    CU_ASSERT_TRUE(fabs(sum / N_VALUES) < 1e-6);
    CU_ASSERT_TRUE(fabs(sqrt(squares / (N_VALUES - 1)) - .1) < 1e-6);
}

PML_TESTS("train/initializers/sines", PML_TEST(has_the_sines_of_the_paper),
          PML_TEST(centred_ones_have_mean_0_and_deviation_a_tenth))
