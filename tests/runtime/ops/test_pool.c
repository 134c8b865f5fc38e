#include "tests/runtime/ops/op_test.h"

static void takes_means_and_maxima_over_rows(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 5, 70)), mean, greatest; /* more columns than are summed at once */
    PML_ASSERT_OK(pml_op_pool(&context, &x, PML_POOL_MEAN, &mean, &error), &error);
    PML_ASSERT_OK(pml_op_pool(&context, &x, PML_POOL_MAX, &greatest, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&mean, SHAPE(2, 70)) && has_shape(&greatest, SHAPE(2, 70)));
    for (size_t i = 0; i < 140; i++) {
        const float *column = pml_tensor_f32(&x) + i / 70 * 350 + i % 70;
        double sum = 0, most = -INFINITY;
        for (size_t row = 0; row < 5; row++) {
            sum += (double)column[row * 70];
            most = (double)column[row * 70] > most ? (double)column[row * 70] : most;
        }
        CU_ASSERT_EQUAL(pml_tensor_f32(&mean)[i], (float)(sum / 5));
        CU_ASSERT_EQUAL((double)pml_tensor_f32(&greatest)[i], most);
    }
    end_test();
}

static void lets_nan_through(void) {
    begin_test(1 << 16);
    const float values[] = {1, NAN, 2};
    pml_tensor x = make_values(values, SHAPE(3, 1)), y;
    PML_ASSERT_OK(pml_op_pool(&context, &x, PML_POOL_MAX, &y, &error), &error);
    CU_ASSERT_FALSE(isnan(pml_tensor_f32(&y)[0]) == 0);
    end_test();
}

PML_TESTS("runtime/ops/pool", PML_TEST(takes_means_and_maxima_over_rows), PML_TEST(lets_nan_through))
