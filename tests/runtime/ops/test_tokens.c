#include "tests/runtime/ops/gradient_test.h"

static void adds_positions(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 3, 4)), position = make_tensor(SHAPE(3, 4)), y;
    PML_ASSERT_OK(pml_op_tokens(&context, &x, NULL, &position, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 3, 4)));
    for (size_t i = 0; i < 24; i++) {
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], pml_tensor_f32(&x)[i] + pml_tensor_f32(&position)[i % 12]);
    }
    end_test();
}

static void puts_the_first_token_before_the_others(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 3, 4)), position = make_tensor(SHAPE(4, 4)), first = make_tensor(SHAPE(4)), y;
    PML_ASSERT_OK(pml_op_tokens(&context, &x, &first, &position, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 4, 4)));
    for (size_t i = 0; i < 32; i++) {
        size_t token = i / 4 % 4;
        float value = token == 0 ? pml_tensor_f32(&first)[i % 4] : pml_tensor_f32(&x)[i / 16 * 12 + i % 16 - 4];
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], value + pml_tensor_f32(&position)[i % 16]);
    }
    PML_ASSERT_FAILS(pml_op_tokens(&context, &x, NULL, &position, &y, &error), PML_E_ARGUMENT, &error, "[3, 4]");
    end_test();
}

/* leaves: x, position, first */
static pml_status build(pml_tensor *leaves, void *user, pml_tensor *y) {
    return pml_op_tokens(&context, &leaves[0], user == NULL ? NULL : &leaves[2], &leaves[1], y, &error);
}

static void gradients_match_differences(void) {
    begin_test(1 << 20);
    pml_tensor leaves[] = {make_tensor(SHAPE(2, 3, 4, 5)), make_tensor(SHAPE(4, 5)), make_tensor(SHAPE(5))};
    check_gradients(build, leaves, 2, NULL);
    leaves[1] = make_tensor(SHAPE(5, 5));
    check_gradients(build, leaves, 3, leaves);
    end_test();
}

PML_TESTS("runtime/ops/tokens", PML_TEST(gradients_match_differences), PML_TEST(adds_positions),
          PML_TEST(puts_the_first_token_before_the_others))
