#include "tests/runtime/ops/op_test.h"

static void windows_end_with_the_series(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 11, 3)), y; /* (11 - 4) / 3 + 1 = 3 patches; step 0 is in none */
    PML_ASSERT_OK(pml_op_patchify(&context, &x, 4, 3, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 3, 3, 4)));
    for (size_t i = 0; i < 72; i++) {
        size_t b = i / 36, c = i / 12 % 3, n = i / 4 % 3, p = i % 4;
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], pml_tensor_f32(&x)[(b * 11 + 1 + n * 3 + p) * 3 + c]);
    }
    PML_ASSERT_FAILS(pml_op_patchify(&context, &x, 12, 3, &y, &error), PML_E_ARGUMENT, &error, "do not fit");
    PML_ASSERT_FAILS(pml_op_patchify(&context, &x, 4, 0, &y, &error), PML_E_ARGUMENT, &error, "patchify");
    end_test();
}

static void masked_patches_take_the_value(void) {
    begin_test(1 << 16);
    const float flags[] = {0, 1, 0, 0, 0, 1};
    pml_tensor x = make_tensor(SHAPE(2, 3, 4)), mask = make_values(flags, SHAPE(2, 3)), y;
    PML_ASSERT_OK(pml_op_patch_mask(&context, &x, &mask, 0.25F, &y, &error), &error);
    for (size_t i = 0; i < 24; i++) {
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], flags[i / 4] != 0 ? 0.25F : pml_tensor_f32(&x)[i]);
    }
    PML_ASSERT_FAILS(pml_op_patch_mask(&context, &mask, &x, 0, &y, &error), PML_E_ARGUMENT, &error, "patch_mask");
    end_test();
}

PML_TESTS("runtime/ops/patch", PML_TEST(windows_end_with_the_series), PML_TEST(masked_patches_take_the_value))
