#include "tests/runtime/ops/gradient_test.h"

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

static pml_status transposed(pml_tensor *leaves, void *user, pml_tensor *y) {
    (void)user;
    return pml_op_transpose(&context, &leaves[0], y, &error);
}

static pml_status sliced(pml_tensor *leaves, void *user, pml_tensor *y) {
    const size_t *range = user;
    return pml_op_slice(&context, &leaves[0], range[0], range[1], y, &error);
}

/* The second leaf, or, for one leaf, x behind x. */
static pml_status appended(pml_tensor *leaves, void *user, pml_tensor *y) {
    return pml_op_append(&context, &leaves[0], &leaves[*(const size_t *)user], y, &error);
}

static void gradients_match_differences(void) {
    begin_test(1 << 20);
    pml_tensor leaves[] = {make_tensor(SHAPE(2, 5, 3)), make_tensor(SHAPE(2, 2, 3))};
    check_gradients(transposed, leaves, 1, NULL);
    check_gradients(sliced, leaves, 1, (size_t[]){1, 3});
    check_gradients(sliced, leaves, 1, (size_t[]){0, 5});
    check_gradients(appended, leaves, 2, (size_t[]){1});
    check_gradients(appended, leaves, 1, (size_t[]){0});
    pml_tensor wide[] = {make_tensor(SHAPE(40, 19))};
    check_gradients(transposed, wide, 1, NULL);
    end_test();
}

/* Large enough for several threads, which change nothing. */
static void threads_do_not_matter(void) {
    static const size_t n = 3 * 70 * 33;
    float kept[2][3 * 70 * 33];
    for (size_t k = 0; k < 2; k++) {
        begin_test(1 << 20);
        PML_ASSERT_OK(pml_context_threads_set(&context, 1 + 2 * k, &error), &error);
        context.share_cost = 1;
        pml_tensor x = make_tensor(SHAPE(3, 70, 33)), y;
        PML_ASSERT_OK(pml_op_transpose(&context, &x, &y, &error), &error);
        for (size_t i = 0; i < n; i++) {
            const size_t b = i / (70 * 33), row = i / 70 % 33, column = i % 70;
            CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], pml_tensor_f32(&x)[(b * 70 + column) * 33 + row]);
        }
        memcpy(kept[k], pml_tensor_f32(&y), sizeof kept[k]);
        end_test();
    }
    CU_ASSERT_EQUAL(memcmp(kept[0], kept[1], sizeof kept[0]), 0);
}

PML_TESTS("runtime/ops/shape", PML_TEST(transposes_the_last_two_axes), PML_TEST(slices_rows),
          PML_TEST(rows_are_appended), PML_TEST(gradients_match_differences), PML_TEST(threads_do_not_matter))
