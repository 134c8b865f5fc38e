#include "tests/runtime/cli/evaluate_case.h"

static void matches_itransformer_on_etth1(void) {
    matches_the_recorded_errors("ett/itransformer-etth1-96");
}

PML_TESTS("runtime/cli/run_evaluate_itransformer", PML_TEST(matches_itransformer_on_etth1))
