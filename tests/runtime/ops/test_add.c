#include "tests/runtime/ops/op_test.h"

static void repeats_b_over_leading_axes(void) {
    begin_test(1 << 16);
    pml_tensor a = make_tensor(SHAPE(2, 3, 4)), b = make_tensor(SHAPE(3, 4)), y;
    PML_ASSERT_OK(pml_op_add(&context, &a, &b, &y, &error), &error);
    for (size_t i = 0; i < 24; i++) {
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], pml_tensor_f32(&a)[i] + pml_tensor_f32(&b)[i % 12]);
    }
    end_test();
}

static void refuses_another_shape(void) {
    begin_test(1 << 16);
    pml_tensor a = make_tensor(SHAPE(2, 3, 4)), b = make_tensor(SHAPE(2, 4)), y;
    PML_ASSERT_FAILS(pml_op_add(&context, &a, &b, &y, &error), PML_E_ARGUMENT, &error, "add");
    PML_ASSERT_FAILS(pml_op_add(&context, &b, &a, &y, &error), PML_E_ARGUMENT, &error, "add");
    end_test();
}

static void differences_are_of_one_shape(void) {
    begin_test(1 << 16);
    pml_tensor a = make_tensor(SHAPE(2, 3, 4)), b = make_tensor(SHAPE(2, 3, 4)), c = make_tensor(SHAPE(3, 4)), y;
    PML_ASSERT_OK(pml_op_subtract(&context, &a, &b, &y, &error), &error);
    for (size_t i = 0; i < 24; i++) {
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], pml_tensor_f32(&a)[i] - pml_tensor_f32(&b)[i]);
    }
    PML_ASSERT_FAILS(pml_op_subtract(&context, &a, &c, &y, &error), PML_E_ARGUMENT, &error, "subtract");
    end_test();
}

PML_TESTS("runtime/ops/add", PML_TEST(differences_are_of_one_shape), PML_TEST(repeats_b_over_leading_axes),
          PML_TEST(refuses_another_shape))
