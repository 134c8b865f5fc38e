#include "tests/runtime/ops/gradient_test.h"

static pml_status build(pml_tensor *leaves, void *user, pml_tensor *y) {
    *y = *(pml_tensor *)user;
    return pml_op_scatter(&context, &leaves[0], &leaves[1], 1, y, &error);
}

static void puts_rows_to_their_places(void) {
    begin_test(1 << 16);
    PML_ASSERT_OK(pml_context_threads_set(&context, 3, &error), &error);
    context.share_cost = 1;
    const float places[] = {4, 0, 2};
    pml_tensor leaves[] = {make_tensor(SHAPE(3, 4)), make_values(places, SHAPE(3))}, y = make_tensor(SHAPE(5, 2));
    const float kept = pml_tensor_f32(&y)[2];
    PML_ASSERT_OK(pml_op_scatter(&context, &leaves[0], &leaves[1], 1, &y, &error), &error);
    for (size_t r = 0; r < 3; r++) {
        for (size_t k = 0; k < 2; k++) {
            CU_ASSERT_EQUAL(pml_tensor_f32(&y)[(size_t)places[r] * 2 + k], pml_tensor_f32(&leaves[0])[r * 4 + 1 + k]);
        }
    }
    CU_ASSERT_EQUAL(pml_tensor_f32(&y)[2], kept);
    check_gradients(build, leaves, 1, &y);
    pml_tensor_f32(&leaves[1])[1] = 5;
    PML_ASSERT_FAILS(pml_op_scatter(&context, &leaves[0], &leaves[1], 1, &y, &error), PML_E_ARGUMENT, &error, "place");
    PML_ASSERT_FAILS(pml_op_scatter(&context, &leaves[0], &leaves[1], 3, &y, &error), PML_E_ARGUMENT, &error,
                     "scatter");
    end_test();
}

PML_TESTS("runtime/ops/scatter", PML_TEST(puts_rows_to_their_places))
