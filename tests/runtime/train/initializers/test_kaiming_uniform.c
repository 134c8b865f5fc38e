/* Variance by one fan, even. */
#include "tests/runtime/train/initializers/initializer_case.h"

static float values[N_VALUES];

static void check_bound(const char *spec, double bound) {
    fill_matrix(spec, values);
    check_values(values, 0, bound / sqrt(3), -bound, bound);
}

static void bound_is_that_of_its_fan(void) {
    check_bound("kaiming_uniform", sqrt(6. / N_ROWS));
    check_bound("kaiming_uniform:mode=fan_out", sqrt(6. / N_COLUMNS));
    check_bound("kaiming_uniform:a=2.2360679774997896", sqrt(1. / N_ROWS));
    check_bound("kaiming_uniform:nonlinearity=tanh", sqrt(3. / N_ROWS) * 5 / 3);
    check_bound("kaiming_uniform:nonlinearity=selu", sqrt(3. / N_ROWS) * .75);
    check_bound("kaiming_uniform:nonlinearity=linear", sqrt(3. / N_ROWS));
    check_seeds("kaiming_uniform");
}

PML_TESTS("train/initializers/kaiming_uniform", PML_TEST(bound_is_that_of_its_fan))
