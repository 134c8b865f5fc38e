/* The papers' slower fall. */
#include "tests/runtime/train/schedules/schedule_case.h"

/* Rates over the first that the code of PatchTST logs for ten epochs. */
static void falls_from_the_fifth_epoch_on(void) {
    static const double expected[] = {1, 1, 1, 1, .9, .81, .729};
    for (uint64_t i = 0; i < 7; i++) {
        CU_ASSERT_TRUE(fabs(factor_at("type3", 0, i) - expected[i]) < 1e-15);
    }
}

PML_TESTS("train/schedules/type3", PML_TEST(falls_from_the_fifth_epoch_on))
