#include "tests/harness.h"

#include "runtime/base/checked.h"

static void adds_and_multiplies(void) {
    uint64_t r = 77;
    CU_ASSERT(pml_ck_add(1, 2, &r) && r == 3);
    CU_ASSERT(pml_ck_add(UINT64_MAX, 0, &r) && r == UINT64_MAX);
    CU_ASSERT(!pml_ck_add(UINT64_MAX, 1, &r) && r == UINT64_MAX);
    CU_ASSERT(pml_ck_mul(1ull << 31, 1ull << 32, &r) && r == 1ull << 63);
    CU_ASSERT(!pml_ck_mul(1ull << 32, 1ull << 32, &r) && r == 1ull << 63);
    CU_ASSERT(pml_ck_mul(0, UINT64_MAX, &r) && r == 0);
}

/* Rounding up is where others wrapped to 0. */
static void pads(void) {
    uint64_t r = 77;
    CU_ASSERT(pml_ck_pad(0, 64, &r) && r == 0);
    CU_ASSERT(pml_ck_pad(1, 64, &r) && r == 64);
    CU_ASSERT(pml_ck_pad(64, 64, &r) && r == 64);
    CU_ASSERT(pml_ck_pad(7, 3, &r) && r == 9);
    CU_ASSERT(pml_ck_pad(UINT64_MAX - 63, 64, &r) && r == UINT64_MAX - 63);
    CU_ASSERT(!pml_ck_pad(UINT64_MAX - 62, 64, &r) && r == UINT64_MAX - 63);
    CU_ASSERT(!pml_ck_pad(UINT64_MAX, 2, &r));
    CU_ASSERT(!pml_ck_pad(5, 0, &r));
    CU_ASSERT(pml_ck_pad(1, 1ull << 63, &r) && r == 1ull << 63);
}

static void takes_products(void) {
    uint64_t r = 77;
    const uint64_t sizes[] = {3, 5, 7}, wraps[] = {1ull << 40, 1ull << 40}, zero[] = {1ull << 40, 1ull << 20, 0};
    CU_ASSERT(pml_ck_product(sizes, 3, &r) && r == 105);
    CU_ASSERT(pml_ck_product(sizes, 0, &r) && r == 1);
    CU_ASSERT(!pml_ck_product(wraps, 2, &r) && r == 1);
    CU_ASSERT(pml_ck_product(zero, 3, &r) && r == 0);
}

static void checks_ranges(void) {
    CU_ASSERT(pml_ck_range(0, 0, 0));
    CU_ASSERT(pml_ck_range(10, 0, 10));
    CU_ASSERT(pml_ck_range(3, 7, 10));
    CU_ASSERT(!pml_ck_range(3, 8, 10));
    CU_ASSERT(!pml_ck_range(11, 0, 10));
    CU_ASSERT(!pml_ck_range(8, UINT64_MAX - 4, 10));
    CU_ASSERT(!pml_ck_range(UINT64_MAX, 2, UINT64_MAX));
    size_t size = 0;
    CU_ASSERT(pml_ck_size(5, &size) && size == 5);
}

PML_TESTS("runtime/base/checked", PML_TEST(adds_and_multiplies), PML_TEST(pads), PML_TEST(takes_products),
          PML_TEST(checks_ranges))
