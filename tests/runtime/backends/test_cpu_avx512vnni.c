#include <string.h>

#include "runtime/backends/backend.h"
#include "tests/harness.h"

static void uses_nothing_better(void) {
    pml_error error;
    pml_kernels table, expected;
    void *state = NULL;
    memset(&table, 0, sizeof table);
    PML_ASSERT_OK(pml_backend_cpu_avx512vnni.open(&table, UINT32_MAX, &state, &error), &error);
    memset(&expected, 0, sizeof expected);
    pml_kernels_select(&expected, PML_ISA_avx512vnni);
    CU_ASSERT_EQUAL(memcmp(&table, &expected, sizeof table), 0);
}

static void says_why_it_cannot_run(void) {
    pml_error error;
    pml_kernels table;
    void *state = NULL;
    bool has = (pml_isa_detect() & PML_ISA_avx512vnni) == PML_ISA_avx512vnni;
    (void)setenv("PML_ISA", "scalar", 1);
    PML_ASSERT_FAILS(pml_backend_check("cpu-avx512vnni", &error), PML_E_UNSUPPORTED, &error,
                     has ? "PML_ISA does not allow avx512vnni" : "does not have avx512vnni");
    (void)unsetenv("PML_ISA");
    PML_ASSERT_FAILS(pml_backend_cpu_avx512vnni.open(&table, PML_ISA_scalar, &state, &error), PML_E_UNSUPPORTED, &error,
                     "avx512vnni");
    CU_ASSERT_EQUAL(pml_backend_check("cpu-avx512vnni", NULL), has ? PML_OK : PML_E_UNSUPPORTED);
}

PML_TESTS("backends/cpu_avx512vnni", PML_TEST(uses_nothing_better), PML_TEST(says_why_it_cannot_run))
