#include "runtime/base/alloc.h"
#include "tests/runtime/ops/op_test.h"

static void release_keeps_one_tensor(void) {
    begin_test(4096);
    pml_tensor first, second, third;
    PML_ASSERT_OK(pml_context_tensor(&context, PML_DTYPE_F32, SHAPE(20), &first, &error), &error);
    size_t mark = pml_context_mark(&context);
    CU_ASSERT_EQUAL(mark, 128);
    PML_ASSERT_OK(pml_context_tensor(&context, PML_DTYPE_F32, SHAPE(20), &second, &error), &error);
    PML_ASSERT_OK(pml_context_tensor(&context, PML_DTYPE_F32, SHAPE(40), &third, &error), &error);
    for (size_t i = 0; i < 40; i++) {
        pml_tensor_f32(&third)[i] = (float)i;
    }
    pml_context_release(&context, mark, &third); /* its old and new places overlap */
    CU_ASSERT_EQUAL(third.offset_bytes, mark);
    CU_ASSERT_EQUAL(pml_context_mark(&context), mark + 192);
    CU_ASSERT_EQUAL(context.workspace_peak_bytes, 128 + 128 + 192);
    for (size_t i = 0; i < 40; i++) {
        CU_ASSERT_EQUAL(pml_tensor_f32(&third)[i], (float)i);
    }
    pml_context_release(&context, mark, &first); /* below the mark: stays where it is */
    CU_ASSERT_EQUAL(first.offset_bytes, 0);
    CU_ASSERT_EQUAL(pml_context_mark(&context), mark);
    end_test();
}

static void a_full_workspace_is_slower_but_right(void) {
    begin_test(128);
    pml_tensor small, large;
    PML_ASSERT_OK(pml_context_tensor(&context, PML_DTYPE_F32, SHAPE(32), &small, &error), &error);
    PML_ASSERT_OK(pml_context_tensor(&context, PML_DTYPE_F32, SHAPE(1000), &large, &error), &error);
    CU_ASSERT_EQUAL(context.workspace_missed_bytes, 4032);
    for (size_t i = 0; i < 1000; i++) {
        pml_tensor_f32(&large)[i] = (float)i;
    }
    pml_context_release(&context, 0, &large);
    CU_ASSERT_EQUAL(pml_tensor_f32(&large)[999], 999.0F);
    CU_ASSERT_EQUAL(pml_context_mark(&context), 0);
    end_test();
}

static void repeated_steps_allocate_once(void) {
    begin_test(1000);
    PML_ASSERT_OK(pml_context_step_begin(&context, 5000, 3000, &error), &error);
    uint64_t before = pml_allocation_count();
    for (size_t i = 0; i < 5; i++) {
        pml_tensor a, b;
        PML_ASSERT_OK(pml_context_step_begin(&context, i == 3 ? 100 : 5000, 3000, &error), &error);
        PML_ASSERT_OK(pml_context_tensor(&context, PML_DTYPE_F32, SHAPE(20), &a, &error), &error);
        PML_ASSERT_OK(pml_context_step_tensor(&context, PML_DTYPE_F32, SHAPE(500), &b, &error), &error);
    }
    CU_ASSERT_EQUAL(pml_allocation_count(), before);
    end_test();
}

static void sizes_that_overflow_are_refused(void) {
    begin_test(1000);
    pml_tensor tensor;
    PML_ASSERT_FAILS(pml_context_tensor(&context, PML_DTYPE_F32, SHAPE(SIZE_MAX / 2, 3), &tensor, &error), PML_E_MEMORY,
                     &error, "overflow");
    PML_ASSERT_FAILS(pml_context_tensor(&context, PML_DTYPE_F32, SHAPE(SIZE_MAX / 4, 1), &tensor, &error), PML_E_MEMORY,
                     &error, "overflow");
    PML_ASSERT_FAILS(pml_context_step_begin(&context, SIZE_MAX, 1, &error), PML_E_MEMORY, &error, "step");
    CU_ASSERT(PML_SUM(SIZE_MAX, 64) == SIZE_MAX && PML_SUM(64, 64, 128) == 256);
    CU_ASSERT(PML_FLOATS(2, 3, 5) == 128 && PML_FLOATS(0) == 0);
    CU_ASSERT(PML_FLOATS(SIZE_MAX / 2, 2, 2) == SIZE_MAX && PML_FLOATS(SIZE_MAX / 4 + 1) == SIZE_MAX);
    CU_ASSERT_EQUAL(pml_context_bytes(3, 4), 64);
    end_test();
}

static void unknown_backends_are_not_found(void) {
    PML_ASSERT_FAILS(pml_context_init(&context, "abacus", &error), PML_E_NOT_FOUND, &error, "abacus");
    end_test();
}

static size_t n_shown;
static void show(void *user, const char *name, size_t first_row, const pml_tensor *tensor) {
    CU_ASSERT_PTR_EQUAL(user, &n_shown);
    CU_ASSERT_STRING_EQUAL(name, "middle");
    CU_ASSERT_EQUAL(first_row, 3);
    CU_ASSERT_EQUAL(pml_tensor_count(tensor), 4);
    n_shown++;
}

static void probes_see_what_is_shown(void) {
    begin_test(1000);
    pml_tensor tensor = make_tensor(SHAPE(4));
    pml_context_show(&context, "middle", 3, &tensor); /* nobody looks */
    context.probe = show;
    context.probe_user = &n_shown;
    pml_context_show(&context, "middle", 3, &tensor);
    CU_ASSERT_EQUAL(n_shown, 1);
    end_test();
}

PML_TESTS("runtime/ops/context", PML_TEST(release_keeps_one_tensor), PML_TEST(a_full_workspace_is_slower_but_right),
          PML_TEST(repeated_steps_allocate_once), PML_TEST(sizes_that_overflow_are_refused),
          PML_TEST(unknown_backends_are_not_found), PML_TEST(probes_see_what_is_shown))
