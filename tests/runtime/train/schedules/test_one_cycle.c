/* One rise and fall. */
#include "tests/runtime/train/schedules/schedule_case.h"

static void has_pytorchs_factors(void) {
    check_schedule("one_cycle");
}

static void short_and_overlong_runs_are_finite(void) {
    const pml_schedule *schedule;
    pml_settings settings;
    pml_error error;
    PML_ASSERT_OK(pml_schedule_choose("one_cycle", &schedule, &settings, &error), &error);
    for (uint64_t n_steps = 0; n_steps < 8; n_steps++) {
        for (uint64_t i_step = 0; i_step < 9; i_step++) {
            const pml_schedule_point point = {i_step, n_steps, 0, 1};
            const double factor = pml_schedule_factor(schedule, &settings, &point);
            CU_ASSERT_TRUE(factor > 0 && factor <= 1);
        }
    }
    CU_ASSERT_EQUAL(factor_at("one_cycle", 99, 0), factor_at("one_cycle", 5000, 0));
}

PML_TESTS("train/schedules/one_cycle", PML_TEST(has_pytorchs_factors), PML_TEST(short_and_overlong_runs_are_finite))
