#include "tests/harness.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"

static void allocates_aligned_and_apart(void) {
    pml_arena arena;
    pml_error error = {0};
    unsigned char *parts[20];
    PML_ASSERT_OK(pml_arena_init(&arena, 1000, &error), &error);
    for (size_t i = 0; i < 20; i++) {
        PML_ASSERT_OK(pml_arena_alloc(&arena, 37 * i + 1, 1, &parts[i], &error), &error);
        CU_ASSERT_EQUAL((uintptr_t)parts[i] % 64, 0);
        memset(parts[i], (int)i, 37 * i + 1);
    }
    for (size_t i = 0; i < 20; i++) {
        CU_ASSERT(parts[i][0] == i && parts[i][37 * i] == i);
    }
    CU_ASSERT_EQUAL(arena.peak_bytes, arena.used_bytes);
    pml_arena_deinit(&arena);
    CU_ASSERT_PTR_NULL(arena.blocks);
}

/* From its second run on, a repeated step allocates nothing. */
static void a_repeated_step_allocates_once(void) {
    pml_arena arena = {0};
    pml_error error = {0};
    uint64_t before = 0;
    for (unsigned step = 0; step < 5; step++) {
        char *part;
        if (step == 2) {
            before = pml_allocation_count();
        }
        PML_ASSERT_OK(pml_arena_reset(&arena, &error), &error);
        CU_ASSERT_EQUAL(arena.used_bytes, 0);
        for (size_t i = 0; i < 50; i++) {
            PML_ASSERT_OK(pml_arena_alloc(&arena, 10000, 1, &part, &error), &error);
            memset(part, 1, 10000);
        }
    }
    CU_ASSERT_EQUAL(pml_allocation_count(), before);
    pml_arena_deinit(&arena);
}

static void refuses_what_overflows(void) {
    pml_arena arena = {0};
    pml_error error = {0};
    char *part = (char *)&arena;
    PML_ASSERT_FAILS(pml_arena_alloc(&arena, SIZE_MAX / 2, 4, &part, &error), PML_E_MEMORY, &error, "overflow");
    CU_ASSERT_PTR_NULL(part);
    PML_ASSERT_FAILS(pml_arena_alloc(&arena, SIZE_MAX - 3, 1, &part, &error), PML_E_MEMORY, &error, "overflow");
    pml_arena_deinit(&arena);
}

static void survives_failing_allocations(void) {
    pml_arena arena = {0};
    pml_error error = {0};
    char *part;
    pml_test_fail_allocation(1, true);
    CU_ASSERT_EQUAL(pml_arena_init(&arena, 100, &error), PML_E_MEMORY);
    CU_ASSERT_EQUAL(pml_arena_alloc(&arena, 10, 1, &part, &error), PML_E_MEMORY);
    pml_test_fail_allocation(0, false);
    PML_ASSERT_OK(pml_arena_alloc(&arena, 60000, 1, &part, &error), &error);
    PML_ASSERT_OK(pml_arena_alloc(&arena, 60000, 1, &part, &error), &error);
    pml_test_fail_allocation(1, false); /* joining the two blocks */
    CU_ASSERT_EQUAL(pml_arena_reset(&arena, &error), PML_E_MEMORY);
    pml_test_fail_allocation(0, false);
    PML_ASSERT_OK(pml_arena_alloc(&arena, 10, 1, &part, &error), &error);
    pml_arena_deinit(&arena);
}

PML_TESTS("runtime/base/arena", PML_TEST(allocates_aligned_and_apart), PML_TEST(a_repeated_step_allocates_once),
          PML_TEST(refuses_what_overflows), PML_TEST(survives_failing_allocations))
