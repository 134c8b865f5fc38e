#include "tests/runtime/ops/gradient_test.h"

static void rows_get_unit_length(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(3, 70)), y;
    memset(pml_tensor_f32(&x) + 70, 0, 70 * sizeof(float));
    pml_tensor_f32(&x)[140] = 1e30F; /* its square exceeds F32 */
    PML_ASSERT_OK(pml_op_normalize(&context, &x, 1e-12, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(3, 70)));
    for (size_t row = 0; row < 3; row++) {
        const float *from = pml_tensor_f32(&x) + row * 70, *to = pml_tensor_f32(&y) + row * 70;
        double squares = 0;
        for (size_t i = 0; i < 70; i++) {
            squares += (double)from[i] * (double)from[i];
        }
        for (size_t i = 0; i < 70; i++) {
            CU_ASSERT_EQUAL(to[i], row == 1 ? 0.0F : (float)((double)from[i] / sqrt(squares)));
        }
    }
    end_test();
}

static void short_rows_are_divided_by_the_least_length(void) {
    begin_test(1 << 16);
    pml_tensor x = make_values((const float[]){3e-3F, 4e-3F}, SHAPE(2)), y;
    PML_ASSERT_OK(pml_op_normalize(&context, &x, 1.0, &y, &error), &error);
    CU_ASSERT_TRUE(equals(&y, pml_tensor_f32(&x), 0));
    end_test();
}

static pml_status build(pml_tensor *leaves, void *user, pml_tensor *y) {
    return pml_op_normalize(&context, &leaves[0], *(const double *)user, y, &error);
}

static void gradients_match_differences(void) {
    begin_test(1 << 20);
    pml_tensor x = make_tensor(SHAPE(3, 7));
    double least = 1e-12;
    check_gradients(build, &x, 1, &least);
    least = 5; /* more than any row's length */
    check_gradients(build, &x, 1, &least);
    end_test();
}

PML_TESTS("runtime/ops/normalize", PML_TEST(gradients_match_differences), PML_TEST(rows_get_unit_length),
          PML_TEST(short_rows_are_divided_by_the_least_length))
