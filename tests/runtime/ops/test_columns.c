#include "tests/runtime/ops/op_test.h"

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

PML_TESTS("runtime/ops/columns", PML_TEST(scales_there_and_back))
