#include "tests/runtime/ops/op_test.h"

static void transposes_the_last_two_axes(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 35, 18)), y;
    PML_ASSERT_OK(pml_op_transpose(&context, &x, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 18, 35)));
    for (size_t i = 0; i < 2 * 35 * 18; i++) {
        size_t matrix = i / (35 * 18), row = i / 18 % 35, column = i % 18;
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[(matrix * 18 + column) * 35 + row], pml_tensor_f32(&x)[i]);
    }
    end_test();
}

static void slices_rows(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(3, 4, 2)), y;
    PML_ASSERT_OK(pml_op_slice(&context, &x, 1, 2, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(3, 2, 2)));
    for (size_t i = 0; i < 12; i++) {
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], pml_tensor_f32(&x)[i / 4 * 8 + 2 + i % 4]);
    }
    PML_ASSERT_FAILS(pml_op_slice(&context, &x, 3, 2, &y, &error), PML_E_ARGUMENT, &error, "slice");
    PML_ASSERT_FAILS(pml_op_slice(&context, &x, 1, SIZE_MAX, &y, &error), PML_E_ARGUMENT, &error, "slice");
    end_test();
}

static void rows_are_appended(void) {
    begin_test(1 << 16);
    pml_tensor a = make_tensor(SHAPE(2, 3, 4)), b = make_tensor(SHAPE(2, 5, 4)), c = make_tensor(SHAPE(2, 5, 3)), y;
    PML_ASSERT_OK(pml_op_append(&context, &a, &b, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 8, 4)));
    for (size_t i = 0; i < 64; i++) {
        const size_t s = i / 32, row = i / 4 % 8, column = i % 4;
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], row < 3 ? pml_tensor_f32(&a)[(s * 3 + row) * 4 + column]
                                                       : pml_tensor_f32(&b)[(s * 5 + row - 3) * 4 + column]);
    }
    PML_ASSERT_FAILS(pml_op_append(&context, &a, &c, &y, &error), PML_E_ARGUMENT, &error, "append");
    end_test();
}

PML_TESTS("runtime/ops/shape", PML_TEST(transposes_the_last_two_axes), PML_TEST(slices_rows),
          PML_TEST(rows_are_appended))
