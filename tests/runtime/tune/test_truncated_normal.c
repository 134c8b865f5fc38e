#include "runtime/tune/truncated_normal.h"

#include <stdio.h>

#include "tests/harness.h"
#include "tests/runtime/tune/tune_cases.h"

static void is_as_optunas(void) {
    for (size_t i = 0; i < sizeof normal_cases / sizeof normal_cases[0]; i++) {
        const double *c = normal_cases[i];
        const double mass = pml_normal_log_mass(c[0], c[1]), point = pml_normal_truncated_quantile(c[3], c[0], c[1]);
        if (fabs(mass - c[2]) > 1e-9 * fmax(1, fabs(c[2])) || fabs(point - c[4]) > 1e-7 * fmax(1, fabs(c[4]))) {
            (void)printf("[%g, %g] %g: %.17g %.17g, not %.17g %.17g\n", c[0], c[1], c[3], mass, point, c[2], c[4]);
        }
        CU_ASSERT_TRUE(fabs(mass - c[2]) <= 1e-9 * fmax(1, fabs(c[2])));
        CU_ASSERT_TRUE(fabs(point - c[4]) <= 1e-7 * fmax(1, fabs(c[4])));
    }
}

/* Where the parts of the logarithm's computation meet, and far from anything. */
static void has_no_gaps(void) {
    for (double x = -60; x < 10; x += 0.25) {
        const double here = pml_normal_log_below(x), there = pml_normal_log_below(x + 1e-9);
        CU_ASSERT_TRUE(isfinite(here) && here <= 0);
        CU_ASSERT_TRUE(there >= here - 1e-12 * fabs(here));
        CU_ASSERT_TRUE(there - here < 1e-6);
    }
    CU_ASSERT_DOUBLE_EQUAL(pml_normal_truncated_quantile(0, -2, 3), -2, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(pml_normal_truncated_quantile(1, -2, 3), 3, 1e-9);
    for (double q = 0; q < 1; q += 0.01) {
        const double x = pml_normal_truncated_quantile(q, -700, -690);
        CU_ASSERT_TRUE(x >= -700 && x <= -690);
    }
}

PML_TESTS("runtime/tune/truncated_normal", PML_TEST(is_as_optunas), PML_TEST(has_no_gaps))
