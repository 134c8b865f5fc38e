/* Rows or columns at right angles. */
#include "tests/runtime/train/initializers/initializer_case.h"

static float values[N_VALUES];

static void check_right_angles(size_t n_matrices, size_t n_rows, size_t n_columns) {
    const pml_initializer_target target =
        pml_initializer_target_matrix((const size_t[]){n_matrices, n_rows, n_columns}, 3);
    fill_with("orthogonal:gain=2", &target, 1, 2, 1, values);
    const bool is_wide = n_rows <= n_columns;
    const size_t k = is_wide ? n_rows : n_columns, n = is_wide ? n_columns : n_rows;
    double worst = 0;
    for (size_t m = 0; m < n_matrices; m++) {
        const float *w = values + m * n_rows * n_columns;
        for (size_t a = 0; a < k; a++) {
            for (size_t b = 0; b <= a; b++) {
                double dot = 0;
                for (size_t i = 0; i < n; i++) {
                    dot += is_wide ? (double)w[a * n + i] * (double)w[b * n + i]
                                   : (double)w[i * k + a] * (double)w[i * k + b];
                }
                worst = fmax(worst, fabs(dot - (a == b ? 4 : 0)));
            }
        }
    }
    CU_ASSERT_TRUE(worst < 1e-6);
}

static void rows_or_columns(void) {
    check_right_angles(1, 1, 1);
    check_right_angles(1, 40, 90);
    check_right_angles(1, 90, 40);
    check_right_angles(2, 64, 64);
    check_seeds("orthogonal");
    const pml_initializer_target two = pml_initializer_target_matrix((const size_t[]){2, 20, 20}, 3);
    fill_with("orthogonal", &two, 1, 2, 1, values);
    CU_ASSERT_TRUE(memcmp(values, values + 400, 400 * sizeof(float)) != 0);
}

/* Each direction is as likely: the first element of a row of 2 has mean 0, and is as often above .7071 as below -.7071.
 */
static void directions_are_even(void) {
    const pml_initializer_target target = pml_initializer_target_matrix((const size_t[]){5000, 1, 2}, 3);
    double sum = 0, squares = 0;
    fill_with("orthogonal", &target, 3, 4, 1, values);
    for (size_t i = 0; i < 5000; i++) {
        sum += (double)values[2 * i];
        squares += (double)values[2 * i] * (double)values[2 * i];
    }
    CU_ASSERT_TRUE(fabs(sum / 5000) < 5 * sqrt(.5 / 5000));
    CU_ASSERT_TRUE(fabs(squares / 5000 - .5) < 5 * sqrt(.125 / 5000));
}

static void survives_want_of_memory(void) {
    const pml_initializer *initializer;
    pml_settings settings;
    pml_error error;
    pml_context context = {0};
    const pml_initializer_target target = pml_initializer_target_table(3, 4);
    PML_ASSERT_OK(pml_initializer_choose("orthogonal", &initializer, &settings, &error), &error);
    pml_test_fail_allocation(1, false);
    PML_ASSERT_FAILS(pml_initializer_run(initializer, &settings, &target, 1, 1, values, &context, &error), PML_E_MEMORY,
                     &error, NULL);
    pml_test_fail_allocation(0, false);
}

PML_TESTS("train/initializers/orthogonal", PML_TEST(rows_or_columns), PML_TEST(directions_are_even),
          PML_TEST(survives_want_of_memory))
