#include "tests/runtime/ops/gradient_test.h"

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

static pml_status build(pml_tensor *leaves, void *user, pml_tensor *y) {
    const int kind = *(const int *)user;
    if (kind < PML_ACTIVATION_COUNT) {
        return pml_op_activate(&context, &leaves[0], (pml_activation)kind, y, &error);
    }
    return kind == PML_ACTIVATION_COUNT ? pml_op_affine(&context, &leaves[0], 1.5, 0.25, y, &error)
                                        : pml_op_squareplus(&context, &leaves[0], 2, 2.75, y, &error);
}

static void gradients_match_differences(void) {
    begin_test(1 << 20);
    pml_tensor x = make_tensor(SHAPE(5, 13));
    for (size_t i = 0; i < 65; i++) { /* away from the kinks at 0 and where squareplus meets 2.75 */
        float *value = pml_tensor_f32(&x) + i;
        *value = *value * 3 + (*value < 0 ? -0.05F : 0.05F);
        *value = fabsf(*value + 0.58333F) < 0.05F ? 1.0F : *value;
    }
    for (int kind = 0; kind < PML_ACTIVATION_COUNT + 2; kind++) {
        check_gradients(build, &x, 1, &kind);
    }
    end_test();
}

static pml_status twice(pml_tensor *leaves, void *user, pml_tensor *y) {
    pml_tensor between;
    const pml_status status = pml_op_activate(&context, &leaves[0], PML_ACTIVATION_GELU, &between, &error);
    (void)user;
    return status != PML_OK ? status : pml_op_add(&context, &between, &leaves[0], y, &error);
}

static void gradients_of_activations_are_added(void) {
    begin_test(1 << 20);
    PML_ASSERT_OK(pml_context_threads_set(&context, 3, &error), &error);
    context.share_cost = 1;
    pml_tensor x = make_tensor(SHAPE(3, 3000));
    pml_tensor few = make_tensor(SHAPE(30)), y;
    PML_ASSERT_OK(pml_op_activate(&context, &x, PML_ACTIVATION_TANH, &y, &error), &error);
    for (size_t i = 0; i < 9000; i += 500) {
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[i], tanh((double)pml_tensor_f32(&x)[i]), 1e-6));
    }
    check_gradients(twice, &few, 1, NULL);
    end_test();
}

PML_TESTS("runtime/ops/elementwise", PML_TEST(gradients_match_differences),
          PML_TEST(gradients_of_activations_are_added), PML_TEST(affine_rounds_once),
          PML_TEST(squareplus_stays_positive_far_out), PML_TEST(activations_leave_their_operand))
