/* Variance by both fans, normal. */
#include "tests/runtime/train/initializers/initializer_case.h"

static float values[N_VALUES];

static void deviation_is_that_of_both_fans(void) {
    const double deviation = sqrt(2. / (N_ROWS + N_COLUMNS));
    fill_matrix("xavier_normal", values);
    check_values(values, 0, deviation, -6 * deviation, 6 * deviation);
    check_seeds("xavier_normal");
}

/* Of matrices in a row each has its own fans; of a table the width is fan_in. */
static void fans_follow_the_layout(void) {
    const pml_initializer_target many = pml_initializer_target_matrix((const size_t[]){5, 30, 250}, 3);
    CU_ASSERT_TRUE(many.n_matrices == 5 && many.fan_in == 30 && many.fan_out == 250);
    fill_with("xavier_normal", &many, 1, 2, 1, values);
    check_values(values, 0, sqrt(2. / 280), -1, 1);
    const pml_initializer_target table = pml_initializer_target_table(N_ROWS, N_COLUMNS);
    CU_ASSERT_TRUE(table.fan_in == N_COLUMNS && table.fan_out == N_ROWS);
}

PML_TESTS("train/initializers/xavier_normal", PML_TEST(deviation_is_that_of_both_fans),
          PML_TEST(fans_follow_the_layout))
