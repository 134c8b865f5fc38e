#include "tests/runtime/ops/gradient_test.h"

static pml_status store(pml_tensor *leaves, void *user, pml_tensor *y) {
    *y = *(pml_tensor *)user;
    return pml_op_store(&context, &leaves[0], y, &error);
}

static void copies_values_and_gradients(void) {
    begin_test(1 << 12);
    pml_tensor x = make_tensor(SHAPE(2, 3)), y = make_tensor(SHAPE(6)), wide = {0}, short_one = make_tensor(SHAPE(5));
    PML_ASSERT_OK(pml_op_store(&context, &x, &y, &error), &error);
    CU_ASSERT_TRUE(equals(&y, pml_tensor_f32(&x), 0));
    check_gradients(store, &x, 1, &y);
    PML_ASSERT_OK(pml_context_tensor(&context, PML_DTYPE_F64, SHAPE(6), &wide, &error), &error);
    for (size_t i = 0; i < 6; i++) {
        ((double *)(void *)((char *)wide.buffer->host + wide.offset_bytes))[i] = (double)i / 3;
    }
    PML_ASSERT_OK(pml_op_store(&context, &wide, &y, &error), &error);
    CU_ASSERT_EQUAL(pml_tensor_f32(&y)[2], (float)(2.0 / 3));
    PML_ASSERT_FAILS(pml_op_store(&context, &x, &short_one, &error), PML_E_ARGUMENT, &error, "store");
    end_test();
}

PML_TESTS("runtime/ops/store", PML_TEST(copies_values_and_gradients))
