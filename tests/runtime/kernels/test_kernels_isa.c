#include <string.h>

#include "runtime/kernels/kernels.h"
#include "tests/harness.h"

static void names_add_what_they_build_on(void) {
    pml_error error;
    uint32_t mask = 0;
    PML_ASSERT_OK(pml_isa_parse(NULL, &mask, &error), &error);
    CU_ASSERT_EQUAL(mask, UINT32_MAX);
    PML_ASSERT_OK(pml_isa_parse("scalar", &mask, &error), &error);
    CU_ASSERT_EQUAL(mask, PML_ISA_scalar);
    PML_ASSERT_OK(pml_isa_parse("avx2", &mask, &error), &error);
    CU_ASSERT_EQUAL(mask, PML_ISA_scalar | PML_ISA_avx2);
    PML_ASSERT_OK(pml_isa_parse("scalar,avx512vnni", &mask, &error), &error);
    CU_ASSERT_EQUAL(mask & PML_ISA_avx512, PML_ISA_avx512);
    CU_ASSERT_EQUAL(mask & PML_ISA_avx2, PML_ISA_avx2);
    CU_ASSERT_NOT_EQUAL(mask & PML_ISA_avxvnni, PML_ISA_avxvnni);
    for (unsigned i = 0; i < PML_ISA_COUNT; i++) {
        PML_ASSERT_OK(pml_isa_parse(pml_isa_name(i), &mask, &error), &error);
        CU_ASSERT_TRUE((mask >> i & 1) == 1);
        CU_ASSERT_TRUE((mask & PML_ISA_scalar) != 0);
    }
    CU_ASSERT_PTR_NULL(pml_isa_name(PML_ISA_COUNT));
}

static void unknown_names_are_errors(void) {
    static const char *const wrong[] = {"", ",", "avx", "avx22", "avx2,", ",avx2", "avx2,,avx512", "AVX2", "avx2 "};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        pml_error error;
        uint32_t mask = 77;
        PML_ASSERT_FAILS(pml_isa_parse(wrong[i], &mask, &error), PML_E_ARGUMENT, &error, "PML_ISA");
        CU_ASSERT_EQUAL(mask, 77);
    }
    pml_error error;
    uint32_t mask = 0;
    PML_ASSERT_FAILS(pml_isa_parse("scalar,sse9", &mask, &error), PML_E_ARGUMENT, &error, "'sse9'");
}

static void the_environment_restricts(void) {
    pml_error error;
    uint32_t mask = 0;
    (void)unsetenv("PML_ISA");
    PML_ASSERT_OK(pml_isa_allowed(&mask, &error), &error);
    CU_ASSERT_EQUAL(mask, pml_isa_detect());
    (void)setenv("PML_ISA", "", 1);
    PML_ASSERT_OK(pml_isa_allowed(&mask, &error), &error);
    CU_ASSERT_EQUAL(mask, pml_isa_detect());
    (void)setenv("PML_ISA", "scalar", 1);
    PML_ASSERT_OK(pml_isa_allowed(&mask, &error), &error);
    CU_ASSERT_EQUAL(mask, PML_ISA_scalar);
    (void)setenv("PML_ISA", "avx2", 1);
    PML_ASSERT_OK(pml_isa_allowed(&mask, &error), &error);
    CU_ASSERT_EQUAL(mask, pml_isa_detect() & PML_ISA_avx2);
    (void)setenv("PML_ISA", "quick", 1);
    PML_ASSERT_FAILS(pml_isa_allowed(&mask, &error), PML_E_ARGUMENT, &error, "quick");
    (void)unsetenv("PML_ISA");
}

static void detection_agrees_with_the_compiler(void) {
#if defined(__x86_64__)
    uint32_t mask = pml_isa_detect();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    CU_ASSERT_EQUAL((mask & PML_ISA_avx2) == PML_ISA_avx2, avx2);
    CU_ASSERT_EQUAL((mask & PML_ISA_avx512) == PML_ISA_avx512, avx512);
    CU_ASSERT_EQUAL((mask & PML_ISA_avx512vnni) == PML_ISA_avx512vnni, avx512 && __builtin_cpu_supports("avx512vnni"));
#elif defined(__aarch64__)
    CU_ASSERT_EQUAL(pml_isa_detect() & PML_ISA_neon, PML_ISA_neon);
#if defined(__ARM_FEATURE_DOTPROD)
    CU_ASSERT_EQUAL(pml_isa_detect(), PML_ISA_sdot);
#endif
#else
    CU_ASSERT_EQUAL(pml_isa_detect(), PML_ISA_scalar);
#endif
}

PML_TESTS("kernels/kernels_isa", PML_TEST(names_add_what_they_build_on), PML_TEST(unknown_names_are_errors),
          PML_TEST(the_environment_restricts), PML_TEST(detection_agrees_with_the_compiler))
