#include "tests/runtime/ops/gradient_test.h"

static void exchanges_neighbouring_axes(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 3, 4, 5)), y, back;
    PML_ASSERT_OK(pml_op_swap_axes(&context, &x, 1, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 4, 3, 5)));
    for (size_t i = 0; i < 120; i++) {
        size_t a = i / 60, k = i / 15 % 4, m = i / 5 % 3, p = i % 5;
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], pml_tensor_f32(&x)[((a * 3 + m) * 4 + k) * 5 + p]);
    }
    PML_ASSERT_OK(pml_op_swap_axes(&context, &y, 1, &back, &error), &error);
    CU_ASSERT_EQUAL(memcmp(pml_tensor_f32(&back), pml_tensor_f32(&x), 120 * sizeof(float)), 0);
    PML_ASSERT_FAILS(pml_op_swap_axes(&context, &x, 2, &y, &error), PML_E_ARGUMENT, &error, "swap_axes");
    end_test();
}

static pml_status swapped(pml_tensor *leaves, void *user, pml_tensor *y) {
    return pml_op_swap_axes(&context, &leaves[0], *(const unsigned *)user, y, &error);
}

/* x + x exchanged twice: a gradient that is there already is added to. */
static pml_status swapped_and_kept(pml_tensor *leaves, void *user, pml_tensor *y) {
    pml_tensor once, twice;
    pml_status status = pml_op_swap_axes(&context, &leaves[0], *(const unsigned *)user, &once, &error);
    status = status == PML_OK ? pml_op_swap_axes(&context, &once, *(const unsigned *)user, &twice, &error) : status;
    return status == PML_OK ? pml_op_add(&context, &leaves[0], &twice, y, &error) : status;
}

static void gradients_match_differences(void) {
    begin_test(1 << 20);
    pml_tensor leaves[] = {make_tensor(SHAPE(2, 3, 4, 5))}, thin[] = {make_tensor(SHAPE(2, 3, 1))};
    for (unsigned axis = 0; axis < 2; axis++) {
        check_gradients(swapped, leaves, 1, &axis);
        check_gradients(swapped_and_kept, leaves, 1, &axis);
    }
    check_gradients(swapped, thin, 1, &(unsigned){0});
    end_test();
}

PML_TESTS("runtime/ops/swap", PML_TEST(exchanges_neighbouring_axes), PML_TEST(gradients_match_differences))
