#include "runtime/ops/inception.h"
#include "tests/runtime/ops/gradient_test.h"

static pml_status merge(pml_tensor *leaves, void *user, pml_tensor *y) {
    const pml_tensor *const kernels[] = {&leaves[0], &leaves[1], &leaves[2]};
    (void)user;
    return pml_op_merge_taps(&context, kernels, 3, 0.25, y, &error);
}

/* One convolution gives what the others give together, in whatever order they come. */
static void one_kernel_does_the_work_of_all(void) {
    begin_test(1 << 18);
    pml_tensor x = make_tensor(SHAPE(2, 4, 5, 2)), zero = make_tensor(SHAPE(3)), merged, expected;
    pml_tensor leaves[] = {make_tensor(SHAPE(3, 6, 3)), make_tensor(SHAPE(1, 2, 3)), make_tensor(SHAPE(5, 10, 3))};
    memset(pml_tensor_f32(&zero), 0, 3 * sizeof(float));
    PML_ASSERT_OK(merge(leaves, NULL, &merged), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&merged, SHAPE(5, 10, 3)));
    for (size_t k = 0; k < 3; k++) {
        const pml_tensor before = k == 0 ? x : expected;
        PML_ASSERT_OK(pml_op_convolve(&context, &x, &leaves[k], &zero, k == 0 ? NULL : &before, &expected, &error),
                      &error);
    }
    pml_tensor y;
    PML_ASSERT_OK(pml_op_convolve(&context, &x, &merged, &zero, NULL, &y, &error), &error);
    for (size_t i = 0; i < pml_tensor_count(&y); i++) {
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[i], 0.25 * (double)pml_tensor_f32(&expected)[i], 1e-6));
    }
    end_test();
}

static void gradients_match_differences(void) {
    begin_test(1 << 18);
    pml_tensor leaves[] = {make_tensor(SHAPE(3, 6, 3)), make_tensor(SHAPE(1, 2, 3)), make_tensor(SHAPE(5, 10, 3))};
    check_gradients(merge, leaves, 3, NULL);
    check_gradients(merge, leaves, 1, NULL);
    end_test();
}

static void what_does_not_fit_is_refused(void) {
    begin_test(1 << 16);
    pml_tensor a = make_tensor(SHAPE(3, 6, 3)), even = make_tensor(SHAPE(2, 4, 3)), y;
    pml_tensor wide = make_tensor(SHAPE(3, 9, 3)), many = make_tensor(SHAPE(3, 6, 4));
    const pml_tensor *kernels[] = {&a, &even};
    PML_ASSERT_FAILS(pml_op_merge_taps(&context, kernels, 2, 1, &y, &error), PML_E_ARGUMENT, &error, "odd");
    PML_ASSERT_FAILS(pml_op_merge_taps(&context, kernels, 0, 1, &y, &error), PML_E_ARGUMENT, &error, "not 0");
    kernels[1] = &wide;
    PML_ASSERT_FAILS(pml_op_merge_taps(&context, kernels, 2, 1, &y, &error), PML_E_ARGUMENT, &error, "channels");
    kernels[1] = &many;
    PML_ASSERT_FAILS(pml_op_merge_taps(&context, kernels, 2, 1, &y, &error), PML_E_ARGUMENT, &error, "channels");
    end_test();
}

PML_TESTS("runtime/ops/merge_taps", PML_TEST(one_kernel_does_the_work_of_all), PML_TEST(gradients_match_differences),
          PML_TEST(what_does_not_fit_is_refused))
