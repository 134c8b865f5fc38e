/* Less in equal intervals. */
#include "tests/runtime/train/schedules/schedule_case.h"

static void has_pytorchs_factors(void) {
    check_schedule("step");
}

static void counts_epochs_where_nothing_is_said(void) {
    CU_ASSERT_EQUAL(factor_at("step:size=2,gamma=0.5", 99, 1), 1);
    CU_ASSERT_EQUAL(factor_at("step:size=2,gamma=0.5", 0, 5), .25);
}

PML_TESTS("train/schedules/step", PML_TEST(has_pytorchs_factors), PML_TEST(counts_epochs_where_nothing_is_said))
