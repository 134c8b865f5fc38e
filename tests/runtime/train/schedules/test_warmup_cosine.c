/* A linear rise, a fall along a cosine. */
#include "tests/runtime/train/schedules/schedule_case.h"

static void has_pytorchs_factors(void) {
    check_schedule("warmup_cosine");
}

PML_TESTS("train/schedules/warmup_cosine", PML_TEST(has_pytorchs_factors))
