#include "tests/runtime/cli/evaluate_case.h"

static void matches_dlinear_on_etth1(void) {
    matches_the_recorded_errors("ett/dlinear-etth1-96");
}

PML_TESTS("runtime/cli/run_evaluate_dlinear", PML_TEST(matches_dlinear_on_etth1))
