/* Less by the same factor each time. */
#include "tests/runtime/train/schedules/schedule_case.h"

static void has_pytorchs_factors(void) {
    check_schedule("exponential");
}

static void counts_epochs_where_nothing_is_said(void) {
    CU_ASSERT_EQUAL(factor_at("exponential:gamma=0.5", 99, 3), .125);
}

PML_TESTS("train/schedules/exponential", PML_TEST(has_pytorchs_factors), PML_TEST(counts_epochs_where_nothing_is_said))
