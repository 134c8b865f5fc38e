#include "tests/runtime/ops/gradient_test.h"

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

static pml_status cut(pml_tensor *leaves, void *user, pml_tensor *y) {
    const size_t *sizes = user;
    return pml_op_patchify(&context, &leaves[0], sizes[0], sizes[1], y, &error);
}

static pml_status masked(pml_tensor *leaves, void *user, pml_tensor *y) {
    (void)user;
    return pml_op_patch_mask(&context, &leaves[0], &leaves[1], 0.5F, y, &error);
}

static void gradients_match_differences(void) {
    begin_test(1 << 20);
    pml_tensor series[] = {make_tensor(SHAPE(2, 11, 3))};
    check_gradients(cut, series, 1, (size_t[]){4, 2});
    check_gradients(cut, series, 1, (size_t[]){3, 4});
    check_gradients(cut, series, 1, (size_t[]){11, 1});
    pml_tensor patches[] = {make_tensor(SHAPE(2, 4, 3)), make_tensor(SHAPE(2, 4))};
    for (size_t i = 0; i < 8; i++) {
        pml_tensor_f32(&patches[1])[i] = (float)(i % 3 == 1);
    }
    check_gradients(masked, patches, 1, NULL);
    end_test();
}

PML_TESTS("runtime/ops/patch", PML_TEST(windows_end_with_the_series), PML_TEST(masked_patches_take_the_value),
          PML_TEST(gradients_match_differences))
