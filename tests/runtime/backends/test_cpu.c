#include <string.h>

#include "runtime/backends/backend.h"
#include "tests/harness.h"

static void takes_the_best_that_is_allowed(void) {
    pml_error error;
    static const uint32_t masks[] = {PML_ISA_scalar, PML_ISA_avx2};
    for (size_t i = 0; i < 2; i++) {
        pml_kernels table, expected;
        void *state = NULL;
        memset(&table, 0, sizeof table);
        PML_ASSERT_OK(pml_backend_cpu.open(&table, masks[i], &state, &error), &error);
        memset(&expected, 0, sizeof expected);
        pml_kernels_select(&expected, masks[i]);
        CU_ASSERT_EQUAL(memcmp(&table, &expected, sizeof table), 0);
    }
}

static void always_works(void) {
    pml_error error;
    PML_ASSERT_OK(pml_backend_check("cpu", &error), &error);
    (void)setenv("PML_ISA", "scalar", 1);
    PML_ASSERT_OK(pml_backend_check("auto", &error), &error);
    (void)unsetenv("PML_ISA");
}

PML_TESTS("backends/cpu", PML_TEST(takes_the_best_that_is_allowed), PML_TEST(always_works))
