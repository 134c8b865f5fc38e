#include "tests/runtime/ops/gradient_test.h"

static void the_last_step_is_repeated(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 5, 3)), y;
    PML_ASSERT_OK(pml_op_extend(&context, &x, 4, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 9, 3)));
    for (size_t i = 0; i < 54; i++) {
        size_t b = i / 27, t = i / 3 % 9, c = i % 3;
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], pml_tensor_f32(&x)[(b * 5 + (t < 5 ? t : 4)) * 3 + c]);
    }
    PML_ASSERT_OK(pml_op_extend(&context, &x, 0, &y, &error), &error);
    CU_ASSERT_EQUAL(memcmp(pml_tensor_f32(&y), pml_tensor_f32(&x), 30 * sizeof(float)), 0);
    PML_ASSERT_FAILS(pml_op_extend(&context, &x, SIZE_MAX, &y, &error), PML_E_ARGUMENT, &error, "extend");
    end_test();
}

static void averages_repeat_the_ends(void) {
    begin_test(1 << 16);
    const float values[] = {1, 2, 3, 4, 5, 6};
    const double three[] = {4.0 / 3, 2, 3, 4, 5, 17.0 / 3};
    pml_tensor x = make_values(values, SHAPE(1, 6, 1)), y;
    PML_ASSERT_OK(pml_op_moving_average(&context, &x, 3, &y, &error), &error);
    for (size_t i = 0; i < 6; i++) {
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[i], three[i], 1e-7));
    }
    PML_ASSERT_OK(pml_op_moving_average(&context, &x, 1, &y, &error), &error);
    CU_ASSERT_EQUAL(memcmp(pml_tensor_f32(&y), values, sizeof values), 0);
    const double four[] = {1.25, 1.75, 2.5, 3.5, 4.5, 5.25};
    PML_ASSERT_OK(pml_op_moving_average(&context, &x, 4, &y, &error), &error);
    for (size_t i = 0; i < 6; i++) {
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[i], four[i], 1e-7));
    }
    PML_ASSERT_FAILS(pml_op_moving_average(&context, &x, 0, &y, &error), PML_E_ARGUMENT, &error, "0 steps");
    PML_ASSERT_FAILS(pml_op_moving_average(&context, &x, SIZE_MAX, &y, &error), PML_E_ARGUMENT, &error, "steps");
    end_test();
}

/* Windows longer than the series, several samples and channels, against the plain definition. */
static void averages_follow_the_definition(void) {
    begin_test(1 << 16);
    static const size_t kernels[] = {2, 3, 7, 24, 25, 64, 65};
    pml_tensor x = make_tensor(SHAPE(2, 9, 11)), y;
    for (size_t k = 0; k < 7; k++) {
        const long before = (long)kernels[k] / 2, after = ((long)kernels[k] - 1) / 2;
        PML_ASSERT_OK(pml_op_moving_average(&context, &x, kernels[k], &y, &error), &error);
        for (size_t i = 0; i < 198; i++) {
            double sum = 0;
            for (long j = -before; j <= after; j++) {
                long t = (long)(i / 11 % 9) + j;
                t = t < 0 ? 0 : t > 8 ? 8 : t;
                sum += (double)pml_tensor_f32(&x)[(i / 99 * 9 + (size_t)t) * 11 + i % 11];
            }
            CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[i], sum / (double)kernels[k], 1e-7));
        }
    }
    end_test();
}

/* A value that has left the window leaves no trace. */
static void sums_carry_nothing(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(1, 40, 1)), y;
    pml_tensor_f32(&x)[3] = 1e30F;
    PML_ASSERT_OK(pml_op_moving_average(&context, &x, 5, &y, &error), &error);
    for (size_t t = 6; t < 38; t++) {
        double sum = 0;
        for (size_t i = t - 2; i <= t + 2; i++) {
            sum += (double)pml_tensor_f32(&x)[i < 40 ? i : 39];
        }
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[t], sum / 5, 1e-7));
    }
    end_test();
}

static void parts_add_up(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 9, 3)), trend, seasonal, average;
    PML_ASSERT_OK(pml_op_moving_average(&context, &x, 5, &average, &error), &error);
    PML_ASSERT_OK(pml_op_decompose(&context, &x, 5, &seasonal, &trend, &error), &error);
    for (size_t i = 0; i < 54; i++) {
        CU_ASSERT_EQUAL(pml_tensor_f32(&trend)[i], pml_tensor_f32(&average)[i]);
        CU_ASSERT_EQUAL(pml_tensor_f32(&seasonal)[i], pml_tensor_f32(&x)[i] - pml_tensor_f32(&trend)[i]);
    }
    end_test();
}

static pml_status extended(pml_tensor *leaves, void *user, pml_tensor *y) {
    return pml_op_extend(&context, &leaves[0], *(const size_t *)user, y, &error);
}

static pml_status averaged(pml_tensor *leaves, void *user, pml_tensor *y) {
    return pml_op_moving_average(&context, &leaves[0], *(const size_t *)user, y, &error);
}

/* Both parts of a decomposition: one is the other's complement, and x has two readers. */
static pml_status decomposed(pml_tensor *leaves, void *user, pml_tensor *y) {
    pml_tensor seasonal, trend;
    const pml_status status = pml_op_decompose(&context, &leaves[0], *(const size_t *)user, &seasonal, &trend, &error);
    return status == PML_OK ? pml_op_append(&context, &seasonal, &trend, y, &error) : status;
}

static void gradients_match_differences(void) {
    begin_test(1 << 20);
    static const size_t kernels[] = {1, 2, 3, 7, 12, 25, 65, 66};
    pml_tensor leaves[] = {make_tensor(SHAPE(2, 9, 11))};
    check_gradients(extended, leaves, 1, (size_t[]){3});
    check_gradients(extended, leaves, 1, (size_t[]){0});
    for (size_t i = 0; i < 8; i++) {
        check_gradients(averaged, leaves, 1, (size_t[]){kernels[i]});
        check_gradients(decomposed, leaves, 1, (size_t[]){kernels[i]});
    }
    end_test();
}

PML_TESTS("runtime/ops/window", PML_TEST(the_last_step_is_repeated), PML_TEST(averages_repeat_the_ends),
          PML_TEST(averages_follow_the_definition), PML_TEST(sums_carry_nothing), PML_TEST(parts_add_up),
          PML_TEST(gradients_match_differences))
