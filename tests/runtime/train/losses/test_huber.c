/* Huber's loss. */
#include "tests/runtime/train/losses/loss_case.h"

static void delta_is_above_0(void) {
    const pml_loss *loss;
    pml_settings settings;
    pml_error error;
    PML_ASSERT_FAILS(pml_loss_choose("huber:delta=0", &loss, &settings, &error), PML_E_ARGUMENT, &error, "(0, inf)");
}

LOSS_TESTS("huber", PML_TEST(delta_is_above_0))
