/* A linear rise and fall. */
#include "tests/runtime/train/schedules/schedule_case.h"

static void has_pytorchs_factors(void) {
    check_schedule("warmup_linear");
}

static void stays_at_0_past_the_end(void) {
    CU_ASSERT_EQUAL(factor_at("warmup_linear:warmup=5", 100, 0), 0);
    CU_ASSERT_EQUAL(factor_at("warmup_linear:warmup=5", 500, 0), 0);
    CU_ASSERT_EQUAL(factor_at("warmup_linear:warmup=100", 100, 0), 0);
}

PML_TESTS("train/schedules/warmup_linear", PML_TEST(has_pytorchs_factors), PML_TEST(stays_at_0_past_the_end))
