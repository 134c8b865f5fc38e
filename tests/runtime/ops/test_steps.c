#include "runtime/ops/signal.h"
#include "tests/runtime/ops/gradient_test.h"

enum { B = 2, T = 7, C = 19 };

static double mean_of(const pml_tensor *x, size_t b, size_t c) {
    double sum = 0;
    for (size_t t = 0; t < x->shape[1]; t++) {
        sum += (double)pml_tensor_f32_const(x)[(b * x->shape[1] + t) * C + c];
    }
    return sum / (double)x->shape[1];
}

static void means_are_taken_away(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(B, T, C)), y, flat = make_tensor(SHAPE(T, C));
    pml_tensor_f32(&x)[5] = 1e6F;
    PML_ASSERT_OK(pml_op_center(&context, &x, &y, &error), &error);
    for (size_t i = 0; i < B * T * C; i++) {
        const double expected = (double)pml_tensor_f32(&x)[i] - mean_of(&x, i / (T * C), i % C);
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[i], expected, 1e-7));
    }
    PML_ASSERT_FAILS(pml_op_center(&context, &flat, &y, &error), PML_E_ARGUMENT, &error, "center");
    end_test();
}

static void series_go_on_at_a_level(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(B, T, C)), level = make_tensor(SHAPE(B, 4, C)), y;
    for (int has_level = 0; has_level < 2; has_level++) {
        PML_ASSERT_OK(pml_op_continue(&context, &x, 3, has_level ? &level : NULL, 5, &y, &error), &error);
        CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(B, 8, C)));
        for (size_t i = 0; i < B * 8 * C; i++) {
            const size_t b = i / (8 * C), t = i / C % 8, c = i % C;
            const double more = has_level ? mean_of(&level, b, c) : 0;
            const double expected = t < 3 ? (double)pml_tensor_f32(&x)[(b * T + T - 3 + t) * C + c] : more;
            CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[i], expected, 1e-7));
        }
    }
    PML_ASSERT_OK(pml_op_continue(&context, &x, 0, NULL, 2, &y, &error), &error);
    PML_ASSERT_OK(pml_op_continue(&context, &x, T, NULL, 0, &y, &error), &error);
    CU_ASSERT_EQUAL(memcmp(pml_tensor_f32(&y), pml_tensor_f32(&x), B * T * C * sizeof(float)), 0);
    PML_ASSERT_FAILS(pml_op_continue(&context, &x, T + 1, NULL, 0, &y, &error), PML_E_ARGUMENT, &error, "8 steps");
    PML_ASSERT_FAILS(pml_op_continue(&context, &x, 3, NULL, SIZE_MAX, &y, &error), PML_E_ARGUMENT, &error, "too many");
    level.shape[0] = 1;
    PML_ASSERT_FAILS(pml_op_continue(&context, &x, 3, &level, 5, &y, &error), PML_E_ARGUMENT, &error, "level");
    end_test();
}

static pml_status centered(pml_tensor *leaves, void *user, pml_tensor *y) {
    pml_tensor once;
    const pml_status status = pml_op_center(&context, &leaves[0], user == NULL ? y : &once, &error);
    return status == PML_OK && user != NULL ? pml_op_add(&context, &leaves[0], &once, y, &error) : status;
}

static pml_status continued(pml_tensor *leaves, void *user, pml_tensor *y) {
    const size_t *counts = user;
    return pml_op_continue(&context, &leaves[0], counts[0], counts[2] == 0 ? NULL : &leaves[1], counts[1], y, &error);
}

static void gradients_match_differences(void) {
    begin_test(1 << 20);
    pml_tensor leaves[] = {make_tensor(SHAPE(2, 5, 19)), make_tensor(SHAPE(2, 3, 19))};
    check_gradients(centered, leaves, 1, NULL);
    check_gradients(centered, leaves, 1, leaves);
    check_gradients(continued, leaves, 2, (size_t[]){3, 4, 1});
    check_gradients(continued, leaves, 1, (size_t[]){5, 2, 0});
    check_gradients(continued, leaves, 2, (size_t[]){0, 4, 1});
    check_gradients(continued, leaves, 1, (size_t[]){2, 0, 0});
    end_test();
}

PML_TESTS("runtime/ops/steps", PML_TEST(means_are_taken_away), PML_TEST(series_go_on_at_a_level),
          PML_TEST(gradients_match_differences))
