#include "tests/harness.h"

#include <string.h>

#include "runtime/base/alloc.h"

static void gives_zeroed_aligned_storage(void) {
    pml_error error = {0};
    unsigned char *bytes = NULL;
    for (size_t n = 0; n < 100; n += 33) {
        PML_ASSERT_OK(pml_alloc(n, 3, &bytes, &error), &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
        CU_ASSERT_EQUAL((uintptr_t)bytes % 16, 0);
        for (size_t i = 0; i < 3 * n; i++) {
            CU_ASSERT_EQUAL(bytes[i], 0);
        }
        pml_free(bytes);
    }
    void *aligned = NULL;
    PML_ASSERT_OK(pml_alloc_aligned(1, &aligned, &error), &error);
    CU_ASSERT_EQUAL((uintptr_t)aligned % 64, 0);
    pml_free(aligned);
    pml_free(NULL);
}

static void refuses_what_overflows(void) {
    pml_error error = {0};
    char *bytes = (char *)&error;
    void *aligned = &error;
    PML_ASSERT_FAILS(pml_alloc(SIZE_MAX, 2, &bytes, &error), PML_E_MEMORY, &error, "overflow");
    CU_ASSERT_PTR_NULL(bytes);
    PML_ASSERT_FAILS(pml_alloc_aligned(SIZE_MAX, &aligned, &error), PML_E_MEMORY, &error, "too large");
    CU_ASSERT_PTR_NULL(aligned);
}

static void grows_and_keeps_the_content(void) {
    pml_error error = {0};
    uint32_t *items = NULL;
    size_t capacity = 0, least = 0;
    uint64_t before = pml_allocation_count();
    for (uint32_t i = 0; i < 1000; i++) {
        PML_ASSERT_OK(pml_grow(&items, &capacity, i + 1, sizeof *items, 1000, "things", &error), &error);
        least += capacity < i + 1;
        items[i] = i;
    }
    for (uint32_t i = 0; i < 1000; i++) {
        least += items[i] != i;
    }
    CU_ASSERT_EQUAL(least, 0);
    CU_ASSERT(pml_allocation_count() - before < 12);
    PML_ASSERT_FAILS(pml_grow(&items, &capacity, 1001, sizeof *items, 1000, "things", &error), PML_E_FORMAT, &error,
                     "more than 1000 things");
    pml_test_fail_allocation(1, false);
    CU_ASSERT_EQUAL(pml_grow(&items, &capacity, 1001, sizeof *items, 9999, "things", &error), PML_E_MEMORY);
    pml_test_fail_allocation(0, false);
    CU_ASSERT_EQUAL(items[999], 999);
    pml_free(items);
}

static void copies_strings(void) {
    pml_error error = {0};
    char *copy = NULL;
    PML_ASSERT_OK(pml_string_copy("abcdef", 3, &copy, &error), &error);
    CU_ASSERT_STRING_EQUAL(copy, "abc");
    pml_free(copy);
    PML_ASSERT_OK(pml_string_copy("", 0, &copy, &error), &error);
    CU_ASSERT_STRING_EQUAL(copy, "");
    pml_free(copy);
}

static void tests_can_fail_the_nth(void) {
    pml_error error = {0};
    char *a = NULL, *b = NULL, *c = NULL;
    pml_test_fail_allocation(2, false);
    PML_ASSERT_OK(pml_alloc(1, 1, &a, &error), &error);
    PML_ASSERT_FAILS(pml_alloc(1, 1, &b, &error), PML_E_MEMORY, &error, "out of memory");
    PML_ASSERT_OK(pml_alloc(1, 1, &c, &error), &error);
    pml_free(a);
    pml_free(c);
    pml_test_fail_allocation(1, true);
    CU_ASSERT_EQUAL(pml_alloc(1, 1, &a, NULL), PML_E_MEMORY);
    CU_ASSERT_EQUAL(pml_alloc(1, 1, &a, NULL), PML_E_MEMORY);
    pml_test_fail_allocation(0, false);
}

PML_TESTS("runtime/base/alloc", PML_TEST(gives_zeroed_aligned_storage), PML_TEST(refuses_what_overflows),
          PML_TEST(grows_and_keeps_the_content), PML_TEST(copies_strings), PML_TEST(tests_can_fail_the_nth))
