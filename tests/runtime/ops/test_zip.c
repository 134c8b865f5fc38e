#include "runtime/ops/signal.h"
#include "tests/runtime/ops/gradient_test.h"

static void steps_go_round(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 5, 3)), y;
    PML_ASSERT_OK(pml_op_wrap(&context, &x, 8, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 8, 3)));
    for (size_t i = 0; i < 48; i++) {
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], pml_tensor_f32(&x)[(i / 24 * 5 + i / 3 % 8 % 5) * 3 + i % 3]);
    }
    PML_ASSERT_OK(pml_op_wrap(&context, &x, 5, &y, &error), &error);
    PML_ASSERT_FAILS(pml_op_wrap(&context, &x, 4, &y, &error), PML_E_ARGUMENT, &error, "4 steps");
    PML_ASSERT_FAILS(pml_op_wrap(&context, &x, 11, &y, &error), PML_E_ARGUMENT, &error, "11 steps");
    end_test();
}

static void runs_take_turns(void) {
    begin_test(1 << 16);
    pml_tensor a = make_tensor(SHAPE(2, 3, 4)), b = make_tensor(SHAPE(2, 3, 4)), y, other = make_tensor(SHAPE(2, 4));
    PML_ASSERT_OK(pml_op_zip(&context, &a, &b, 2, true, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 3, 8)));
    for (size_t i = 0; i < 48; i++) {
        const pml_tensor *from = i / 2 % 2 == 0 ? &a : &b;
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], pml_tensor_f32_const(from)[i / 4 * 2 + i % 2]);
    }
    PML_ASSERT_OK(pml_op_zip(&context, &a, &b, 4, false, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 6, 4)));
    for (size_t first = 0; first < 2; first++) { /* what alternate takes apart again */
        pml_tensor back;
        PML_ASSERT_OK(pml_op_alternate(&context, &y, first, &back, &error), &error);
        CU_ASSERT_TRUE_FATAL(has_shape(&back, SHAPE(2, 3, 4)));
        CU_ASSERT_EQUAL(memcmp(pml_tensor_f32(&back), pml_tensor_f32(first == 0 ? &a : &b), 24 * sizeof(float)), 0);
    }
    PML_ASSERT_FAILS(pml_op_zip(&context, &a, &b, 3, true, &y, &error), PML_E_ARGUMENT, &error, "runs of 3");
    PML_ASSERT_FAILS(pml_op_zip(&context, &a, &other, 2, true, &y, &error), PML_E_ARGUMENT, &error, "one shape");
    PML_ASSERT_FAILS(pml_op_alternate(&context, &a, 0, &y, &error), PML_E_ARGUMENT, &error, "even number");
    end_test();
}

static pml_status wrapped(pml_tensor *leaves, void *user, pml_tensor *y) {
    return pml_op_wrap(&context, &leaves[0], *(const size_t *)user, y, &error);
}

static pml_status zipped(pml_tensor *leaves, void *user, pml_tensor *y) {
    const size_t width = *(const size_t *)user;
    return pml_op_zip(&context, &leaves[0], &leaves[1], width, width != 4, y, &error);
}

static pml_status alternated(pml_tensor *leaves, void *user, pml_tensor *y) {
    return pml_op_alternate(&context, &leaves[0], *(const size_t *)user, y, &error);
}

static void gradients_match_differences(void) {
    begin_test(1 << 20);
    pml_tensor leaves[] = {make_tensor(SHAPE(2, 6, 4)), make_tensor(SHAPE(2, 6, 4))};
    static const size_t steps[] = {6, 8, 12}, widths[] = {1, 2, 4};
    for (size_t i = 0; i < 3; i++) {
        check_gradients(wrapped, leaves, 1, (size_t[]){steps[i]});
        check_gradients(zipped, leaves, 2, (size_t[]){widths[i]});
    }
    check_gradients(alternated, leaves, 1, (size_t[]){0});
    check_gradients(alternated, leaves, 1, (size_t[]){1});
    end_test();
}

PML_TESTS("runtime/ops/zip", PML_TEST(steps_go_round), PML_TEST(runs_take_turns), PML_TEST(gradients_match_differences))
