/* The same throughout, after a rise. */
#include "tests/runtime/train/schedules/schedule_case.h"

static void has_pytorchs_factors(void) {
    check_schedule("constant");
}

static void a_share_is_rounded_up(void) {
    CU_ASSERT_EQUAL(factor_at("constant:warmup=0.101", 1, 0), 1 / 11.);
    CU_ASSERT_EQUAL(factor_at("constant:warmup=1", 0, 0), 0);
    CU_ASSERT_EQUAL(factor_at("constant:warmup=1", 1, 0), 1);
}

PML_TESTS("train/schedules/constant", PML_TEST(has_pytorchs_factors), PML_TEST(a_share_is_rounded_up))
