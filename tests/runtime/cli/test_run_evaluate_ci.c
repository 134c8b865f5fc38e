#include "tests/runtime/cli/evaluate_case.h"

static void matches_pytorch_on_etth1(void) {
    matches_the_recorded_errors("ett/patchtst-hf-etth1-96");
}

PML_TESTS("runtime/cli/run_evaluate_ci", PML_TEST(matches_pytorch_on_etth1))
