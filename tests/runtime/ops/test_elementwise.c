#include "tests/runtime/ops/op_test.h"

static void affine_rounds_once(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(7)), y;
    PML_ASSERT_OK(pml_op_affine(&context, &x, 0.1, 1e-3, &y, &error), &error);
    for (size_t i = 0; i < 7; i++) {
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], (float)((double)pml_tensor_f32(&x)[i] * 0.1 + 1e-3));
    }
    end_test();
}

static void squareplus_stays_positive_far_out(void) {
    begin_test(1 << 16);
    const float values[] = {0, 1.5F, -1.5F, -1e6F, 1e6F};
    /* (x + sqrt(x^2 + 4)) / 2; far to the left it is -1 / x up to terms of x^-3. */
    const double wanted[] = {1, 2, 0.5, 1e-6, 1e6};
    pml_tensor x = make_values(values, SHAPE(5)), y;
    PML_ASSERT_OK(pml_op_squareplus(&context, &x, 0, 0, &y, &error), &error);
    for (size_t i = 0; i < 5; i++) {
        CU_ASSERT_TRUE(fabs((double)pml_tensor_f32(&y)[i] - wanted[i]) <= 1e-7 * wanted[i]);
    }
    PML_ASSERT_OK(pml_op_squareplus(&context, &x, 2, 2.75, &y, &error), &error);
    CU_ASSERT_EQUAL(pml_tensor_f32(&y)[0], 3.0F);
    CU_ASSERT_EQUAL(pml_tensor_f32(&y)[2], 2.75F); /* 2.5 lies below the floor */
    end_test();
}

static void activations_leave_their_operand(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(3, 7)), y;
    const float first = pml_tensor_f32(&x)[0];
    PML_ASSERT_OK(pml_op_activate(&context, &x, PML_ACTIVATION_GELU, &y, &error), &error);
    for (size_t i = 0; i < 21; i++) {
        const double value = (double)pml_tensor_f32(&x)[i];
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[i], 0.5 * value * (1 + erf(value / sqrt(2))), 1e-6));
    }
    CU_ASSERT_EQUAL(pml_tensor_f32(&x)[0], first);
    end_test();
}

PML_TESTS("runtime/ops/elementwise", PML_TEST(affine_rounds_once), PML_TEST(squareplus_stays_positive_far_out),
          PML_TEST(activations_leave_their_operand))
