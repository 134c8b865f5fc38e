/* Half a cosine, restarts. */
#include "tests/runtime/train/schedules/schedule_case.h"

static void has_pytorchs_factors(void) {
    check_schedule("cosine");
}

static void ends_and_begins_where_it_should(void) {
    CU_ASSERT_TRUE(fabs(factor_at("cosine:min=0.25", 100, 0) - .25) < 1e-15);
    CU_ASSERT_EQUAL(factor_at("cosine:period=3,restarts=true,growth=3", 12, 0), 1);
    CU_ASSERT_TRUE(fabs(factor_at("cosine:by=epoch", 0, 5) - (1 + sqrt(.5)) / 2) < 1e-15); /* of 20 */
}

PML_TESTS("train/schedules/cosine", PML_TEST(has_pytorchs_factors), PML_TEST(ends_and_begins_where_it_should))
