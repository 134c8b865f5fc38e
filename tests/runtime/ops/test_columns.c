#include "tests/runtime/ops/gradient_test.h"

static void scales_there_and_back(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 4, 3)), w = make_tensor(SHAPE(3)), b = make_tensor(SHAPE(3)), y, z;
    PML_ASSERT_OK(pml_op_scale_columns(&context, &x, &w, &b, &y, &error), &error);
    PML_ASSERT_OK(pml_op_unscale_columns(&context, &x, &w, &b, 0.5, &z, &error), &error);
    CU_ASSERT_TRUE(has_shape(&y, SHAPE(2, 4, 3)));
    for (size_t i = 0; i < 24; i++) {
        double value = (double)pml_tensor_f32(&x)[i], weight = (double)pml_tensor_f32(&w)[i % 3];
        double bias = (double)pml_tensor_f32(&b)[i % 3];
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[i], value * weight + bias, 1e-7));
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&z)[i], (value - bias) / (weight + 0.5), 1e-6));
    }
    PML_ASSERT_FAILS(pml_op_scale_columns(&context, &w, &x, &b, &y, &error), PML_E_ARGUMENT, &error, "scale_columns");
    PML_ASSERT_FAILS(pml_op_unscale_columns(&context, &x, &w, &x, 0, &y, &error), PML_E_ARGUMENT, &error,
                     "unscale_columns");
    end_test();
}

static pml_status scaled(pml_tensor *leaves, void *user, pml_tensor *y) {
    (void)user;
    return pml_op_scale_columns(&context, &leaves[0], &leaves[1], &leaves[2], y, &error);
}

static pml_status unscaled(pml_tensor *leaves, void *user, pml_tensor *y) {
    return pml_op_unscale_columns(&context, &leaves[0], &leaves[1], &leaves[2], *(const double *)user, y, &error);
}

static void gradients_match_differences(void) {
    begin_test(1 << 20);
    pml_tensor leaves[] = {make_tensor(SHAPE(2, 4, 3)), make_tensor(SHAPE(3)), make_tensor(SHAPE(3))};
    for (size_t c = 0; c < 3; c++) {
        pml_tensor_f32(&leaves[1])[c] += 2.0F;
    }
    check_gradients(scaled, leaves, 3, NULL);
    check_gradients(unscaled, leaves, 3, &(double){0.25});
    pml_tensor fixed[] = {make_tensor(SHAPE(2, 4, 3)), leaves[1], leaves[2]};
    check_gradients(scaled, fixed, 1, NULL);
    check_gradients(unscaled, fixed, 1, &(double){0});
    end_test();
}

PML_TESTS("runtime/ops/columns", PML_TEST(scales_there_and_back), PML_TEST(gradients_match_differences))
