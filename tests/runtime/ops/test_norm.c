#include "tests/runtime/ops/op_test.h"

static void layer_norm_uses_each_row(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 3, 5)), y;
    pml_norm norm = {
        .kind = PML_NORM_LAYER, .eps = 1e-2, .weight = make_tensor(SHAPE(5)), .bias = make_tensor(SHAPE(5))};
    PML_ASSERT_OK(pml_op_norm(&context, &x, &norm, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 3, 5)));
    for (size_t row = 0; row < 6; row++) {
        const float *values = pml_tensor_f32(&x) + row * 5;
        double mean = 0, variance = 0;
        for (size_t k = 0; k < 5; k++) {
            mean += (double)values[k] / 5;
        }
        for (size_t k = 0; k < 5; k++) {
            variance += ((double)values[k] - mean) * ((double)values[k] - mean) / 5;
        }
        for (size_t k = 0; k < 5; k++) {
            double wanted =
                ((double)values[k] - mean) / sqrt(variance + 1e-2) * (double)pml_tensor_f32(&norm.weight)[k] +
                (double)pml_tensor_f32(&norm.bias)[k];
            CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[row * 5 + k], wanted, 1e-6));
        }
    }
    end_test();
}

static void layer_norm_without_bias_adds_none(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(3, 5)), zero = make_tensor(SHAPE(5)), y, without;
    memset(pml_tensor_f32(&zero), 0, 5 * sizeof(float));
    pml_norm norm = {.kind = PML_NORM_LAYER, .eps = 1e-5, .weight = make_tensor(SHAPE(5)), .bias = zero};
    PML_ASSERT_OK(pml_op_norm(&context, &x, &norm, &y, &error), &error);
    norm.bias = (pml_tensor){0};
    PML_ASSERT_OK(pml_op_norm(&context, &x, &norm, &without, &error), &error);
    CU_ASSERT_TRUE(equals(&without, pml_tensor_f32(&y), 0));
    end_test();
}

static void batch_norm_uses_given_statistics(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(4, 3)), y;
    const float variances[] = {0.5F, 2.0F, 1e-6F};
    pml_norm norm = {.kind = PML_NORM_BATCH,
                     .eps = 1e-5,
                     .weight = make_tensor(SHAPE(3)),
                     .bias = make_tensor(SHAPE(3)),
                     .mean = make_tensor(SHAPE(3)),
                     .variance = make_values(variances, SHAPE(3))};
    PML_ASSERT_OK(pml_op_norm(&context, &x, &norm, &y, &error), &error);
    for (size_t i = 0; i < 12; i++) {
        size_t k = i % 3;
        double wanted = ((double)pml_tensor_f32(&x)[i] - (double)pml_tensor_f32(&norm.mean)[k]) /
                            sqrt((double)variances[k] + 1e-5) * (double)pml_tensor_f32(&norm.weight)[k] +
                        (double)pml_tensor_f32(&norm.bias)[k];
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[i], wanted, 1e-6));
    }
    end_test();
}

static void refuses_vectors_of_another_size(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(4, 3)), y;
    pml_norm norm = {.kind = PML_NORM_LAYER, .weight = make_tensor(SHAPE(4)), .bias = make_tensor(SHAPE(3))};
    PML_ASSERT_FAILS(pml_op_norm(&context, &x, &norm, &y, &error), PML_E_ARGUMENT, &error, "weight and bias");
    norm.weight = norm.bias;
    norm.kind = PML_NORM_BATCH;
    PML_ASSERT_FAILS(pml_op_norm(&context, &x, &norm, &y, &error), PML_E_ARGUMENT, &error, "mean and variance");
    end_test();
}

PML_TESTS("runtime/ops/norm", PML_TEST(layer_norm_uses_each_row), PML_TEST(layer_norm_without_bias_adds_none),
          PML_TEST(batch_norm_uses_given_statistics), PML_TEST(refuses_vectors_of_another_size))
