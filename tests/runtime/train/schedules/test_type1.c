/* The papers' halving. */
#include "tests/runtime/train/schedules/schedule_case.h"

/* Rates over the first that the code of DLinear logs for ten epochs. */
static void halves_from_the_third_epoch_on(void) {
    static const double expected[] = {1, 1, .5, .25, .125, .0625};
    for (uint64_t i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(factor_at("type1", 0, i), expected[i]);
    }
}

PML_TESTS("train/schedules/type1", PML_TEST(halves_from_the_third_epoch_on))
