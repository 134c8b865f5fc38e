#include "runtime/backends/backend.h"

#include <string.h>

#include "tests/harness.h"

static void finds_backends_by_name(void) {
    pml_error error;
    const pml_backend *backend = NULL;
    PML_ASSERT_OK(pml_backend_find(NULL, &backend, &error), &error);
    CU_ASSERT_PTR_EQUAL(backend, &pml_backend_cpu);
    PML_ASSERT_OK(pml_backend_find("auto", &backend, &error), &error);
    CU_ASSERT_PTR_EQUAL(backend, &pml_backend_cpu);
    PML_ASSERT_OK(pml_backend_find("cpu-blas", &backend, &error), &error);
    CU_ASSERT_PTR_EQUAL(backend, &pml_backend_cpu_blas);
    PML_ASSERT_FAILS(pml_backend_find("cpu_blas", &backend, &error), PML_E_NOT_FOUND, &error, "cpu_blas");
    PML_ASSERT_FAILS(pml_backend_check("gpu", &error), PML_E_NOT_FOUND, &error, "gpu");
}

static void a_choice_stands_until_the_next(void) {
    pml_error error;
    const pml_backend *backend = NULL;
    PML_ASSERT_OK(pml_backend_set("cpu", &error), &error);
    PML_ASSERT_FAILS(pml_backend_set("gpu", &error), PML_E_NOT_FOUND, &error, "gpu");
    PML_ASSERT_OK(pml_backend_find(NULL, &backend, &error), &error);
    CU_ASSERT_PTR_EQUAL(backend, &pml_backend_cpu);
    for (size_t i = 0; pml_backend_at(i) != NULL; i++) {
        const bool works = pml_backend_check(pml_backend_at(i), NULL) == PML_OK;
        CU_ASSERT_EQUAL(pml_backend_set(pml_backend_at(i), &error) == PML_OK, works);
        PML_ASSERT_OK(pml_backend_find(NULL, &backend, &error), &error);
        CU_ASSERT_EQUAL(strcmp(backend->name, pml_backend_at(i)) == 0, works);
        PML_ASSERT_OK(pml_backend_find("auto", &backend, &error), &error);
        CU_ASSERT_STRING_EQUAL(backend->name, pml_backend_auto());
        PML_ASSERT_OK(pml_backend_set(i % 2 == 0 ? NULL : "auto", &error), &error);
        PML_ASSERT_OK(pml_backend_find(NULL, &backend, &error), &error);
        CU_ASSERT_STRING_EQUAL(backend->name, pml_backend_auto());
    }
    PML_ASSERT_OK(pml_backend_check(pml_backend_best_cpu(), &error), &error);
}

static void lists_each_backend_once(void) {
    size_t n = 0;
    for (; pml_backends[n] != NULL; n++) {
        const pml_backend *found = NULL;
        pml_error error;
        CU_ASSERT_STRING_EQUAL(pml_backend_at(n), pml_backends[n]->name);
        PML_ASSERT_OK(pml_backend_find(pml_backends[n]->name, &found, &error), &error);
        CU_ASSERT_PTR_EQUAL(found, pml_backends[n]);
        CU_ASSERT_PTR_NOT_NULL(found->description);
        CU_ASSERT_PTR_NOT_NULL(found->open);
    }
    CU_ASSERT_TRUE(n >= 4);
    CU_ASSERT_PTR_NULL(pml_backend_at(n));
}

static void a_wrong_pml_isa_is_reported_by_every_check(void) {
    pml_error error;
    (void)setenv("PML_ISA", "fast", 1);
    for (size_t i = 0; pml_backend_at(i) != NULL; i++) {
        PML_ASSERT_FAILS(pml_backend_check(pml_backend_at(i), &error), PML_E_ARGUMENT, &error, "fast");
    }
    (void)unsetenv("PML_ISA");
}

PML_TESTS("backends/backend", PML_TEST(finds_backends_by_name), PML_TEST(lists_each_backend_once),
          PML_TEST(a_choice_stands_until_the_next), PML_TEST(a_wrong_pml_isa_is_reported_by_every_check))
