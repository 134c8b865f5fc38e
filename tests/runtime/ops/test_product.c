/* Products in training that round their matrices. */
#include "tests/runtime/ops/matrix_fixture.h"

/* Odd sizes fill panels up; every value differs from the one of F32 by no more than both factors' rounding. */
static void training_may_round_to_bf16(void) {
    for (size_t n_in = 33; n_in <= 34; n_in++) {
        begin_test(1 << 18);
        pml_training training = {.bf16 = true};
        pml_tensor x = make_tensor(SHAPE(5, n_in)), w = make_tensor(SHAPE(n_in, 19)), exact, y;
        size_t n_different = 0;
        PML_ASSERT_OK(pml_op_linear(&context, &x, &w, NULL, PML_ACTIVATION_IDENTITY, NULL, &exact, &error), &error);
        context.training = &training;
        PML_ASSERT_OK(pml_op_linear(&context, &x, &w, NULL, PML_ACTIVATION_IDENTITY, NULL, &y, &error), &error);
        for (size_t i = 0; i < 5 * 19; i++) {
            const double got = (double)pml_tensor_f32(&y)[i], wanted = (double)pml_tensor_f32(&exact)[i];
            double size = 0;
            for (size_t k = 0; k < n_in; k++) {
                size +=
                    fabs((double)pml_tensor_f32(&x)[i / 19 * n_in + k] * (double)pml_tensor_f32(&w)[k * 19 + i % 19]);
            }
            CU_ASSERT_TRUE(fabs(got - wanted) <= 0x1p-7 * size);
            n_different += got != wanted;
        }
        CU_ASSERT_TRUE(n_different > 50);
        context.training = NULL;
        end_test();
    }
}

PML_TESTS("runtime/ops/product", PML_TEST(training_may_round_to_bf16))
