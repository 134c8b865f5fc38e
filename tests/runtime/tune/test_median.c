#include <stdio.h>

#include "tests/runtime/tune/pruner_fixture.h"

static void judges_as_optuna_does(void) {
    pruner_run_cases("median");
}

PML_TESTS("runtime/tune/median", PML_TEST(judges_as_optuna_does))
