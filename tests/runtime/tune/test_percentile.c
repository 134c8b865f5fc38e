#include <stdio.h>

#include "tests/runtime/tune/pruner_fixture.h"

static void judges_as_optuna_does(void) {
    pruner_run_cases("percentile");
}

PML_TESTS("runtime/tune/percentile", PML_TEST(judges_as_optuna_does))
