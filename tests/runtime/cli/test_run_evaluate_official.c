#include "tests/runtime/cli/evaluate_case.h"

static void matches_the_official_code_on_etth1(void) {
    matches_the_recorded_errors("ett/patchtst-official-etth1-96");
}

PML_TESTS("runtime/cli/run_evaluate_official", PML_TEST(matches_the_official_code_on_etth1))
