#include "tests/runtime/ops/gradient_test.h"

static double f64(const pml_tensor *tensor, size_t i) {
    return ((const double *)pml_tensor_bytes(tensor))[i];
}

static pml_tensor loc, scale;

static void run(const pml_tensor *x, const pml_tensor *observed, pml_instance_scaling kind, double least) {
    PML_ASSERT_OK(pml_op_instance_statistics(&context, x, observed, kind, least, &loc, &scale, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&loc, SHAPE(x->shape[0], 1, x->shape[2])) && loc.dtype == PML_DTYPE_F64);
    CU_ASSERT_TRUE_FATAL(has_shape(&scale, SHAPE(x->shape[0], 1, x->shape[2])) && scale.dtype == PML_DTYPE_F64);
}

static void standard_statistics_keep_their_digits(void) {
    begin_test(1 << 16);
    /* One channel rides on an offset that a single-precision sum of squares would not survive. */
    const float values[] = {1, 100000.5F, 3, 100000.0F, 5, 100000.25F, 7, 100000.25F};
    pml_tensor x = make_values(values, SHAPE(1, 4, 2)), y, back;
    run(&x, NULL, PML_INSTANCE_STD, 1e-5);
    CU_ASSERT_EQUAL(f64(&loc, 0), 4.0);
    CU_ASSERT_EQUAL(f64(&loc, 1), 100000.25);
    CU_ASSERT_TRUE(is_near(f64(&scale, 0), sqrt(5 + 1e-5), 1e-12));
    CU_ASSERT_TRUE(is_near(f64(&scale, 1), sqrt(0.03125 + 1e-5), 1e-12));
    PML_ASSERT_OK(pml_op_instance_normalize(&context, &x, &loc, &scale, &y, &error), &error);
    CU_ASSERT_EQUAL(pml_tensor_f32(&y)[1], (float)(0.25 / f64(&scale, 1)));
    PML_ASSERT_OK(pml_op_instance_denormalize(&context, &y, &loc, &scale, &back, &error), &error);
    CU_ASSERT_TRUE(equals(&back, values, 1e-6));
    end_test();
}

static void only_observed_steps_count(void) {
    begin_test(1 << 16);
    const float values[] = {2, 50, 0, 0, 4, 50, 0, 0}, flags[] = {1, 0, 0, 0, 1, 0, 0, 0};
    pml_tensor x = make_values(values, SHAPE(1, 4, 2)), observed = make_values(flags, SHAPE(1, 4, 2)), y;
    run(&x, &observed, PML_INSTANCE_STD, 1e-5);
    CU_ASSERT_EQUAL(f64(&loc, 0), 3.0);
    CU_ASSERT_TRUE(is_near(f64(&scale, 0), sqrt(1 + 1e-5), 1e-12));
    CU_ASSERT_EQUAL(f64(&loc, 1), 0.0); /* nothing observed */
    CU_ASSERT_TRUE(is_near(f64(&scale, 1), sqrt(1e-5), 1e-12));
    PML_ASSERT_OK(pml_op_instance_normalize(&context, &x, &loc, &scale, &y, &error), &error);
    CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[2], -3 / sqrt(1 + 1e-5), 1e-6)); /* missing, scaled as well */
    end_test();
}

static void mean_magnitude_borrows_from_the_batch(void) {
    begin_test(1 << 16);
    const float values[] = {-2, 9, 4, 0, /* sample 1 */ 7, 1, 7, -3};
    const float flags[] = {1, 1, 1, 1, /* sample 1 */ 0, 1, 0, 1};
    pml_tensor x = make_values(values, SHAPE(2, 2, 2)), observed = make_values(flags, SHAPE(2, 2, 2));
    run(&x, &observed, PML_INSTANCE_MEAN, 1e-10);
    CU_ASSERT_EQUAL(f64(&scale, 0), 3.0);
    CU_ASSERT_EQUAL(f64(&scale, 1), 4.5);
    CU_ASSERT_EQUAL(f64(&scale, 2), 3.0); /* unobserved: the mean over the observations of channel 0 in both samples */
    CU_ASSERT_EQUAL(f64(&scale, 3), 2.0);
    CU_ASSERT_EQUAL(f64(&loc, 0), 0.0);
    const float zeros[8] = {0};
    pml_tensor still = make_values(zeros, SHAPE(2, 2, 2));
    run(&still, NULL, PML_INSTANCE_MEAN, 1e-10);
    CU_ASSERT_EQUAL(f64(&scale, 0), 1e-10);
    end_test();
}

static void no_scaling_leaves_values_alone(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 3, 2)), y;
    run(&x, NULL, PML_INSTANCE_NONE, 1e-5);
    PML_ASSERT_OK(pml_op_instance_normalize(&context, &x, &loc, &scale, &y, &error), &error);
    CU_ASSERT_EQUAL(memcmp(pml_tensor_bytes(&x), pml_tensor_bytes(&y), 12 * sizeof(float)), 0);
    end_test();
}

static void refuses_masks_and_statistics_of_another_shape(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 3, 2)), mask = make_tensor(SHAPE(2, 3, 1)), other = make_tensor(SHAPE(1, 3, 2));
    pml_tensor y;
    PML_ASSERT_FAILS(pml_op_instance_statistics(&context, &x, &mask, PML_INSTANCE_STD, 1e-5, &loc, &scale, &error),
                     PML_E_ARGUMENT, &error, "observed mask");
    run(&x, NULL, PML_INSTANCE_STD, 1e-5);
    PML_ASSERT_FAILS(pml_op_instance_normalize(&context, &other, &loc, &scale, &y, &error), PML_E_ARGUMENT, &error,
                     "instance_normalize");
    end_test();
}

typedef struct scaled_case {
    pml_tensor loc, scale;
} scaled_case;

static pml_status scaled_there_and_back(pml_tensor *leaves, void *user, pml_tensor *y) {
    const scaled_case *is = user;
    pml_tensor normal, doubled;
    pml_status status = pml_op_instance_normalize(&context, &leaves[0], &is->loc, &is->scale, &normal, &error);
    status = status == PML_OK ? pml_op_add(&context, &normal, &leaves[0], &doubled, &error) : status;
    return status == PML_OK ? pml_op_instance_denormalize(&context, &doubled, &is->loc, &is->scale, y, &error) : status;
}

/* Statistics are constants. */
static void gradients_match_differences(void) {
    begin_test(1 << 20);
    pml_tensor leaves[] = {make_tensor(SHAPE(2, 6, 3))};
    scaled_case is;
    PML_ASSERT_OK(
        pml_op_instance_statistics(&context, &leaves[0], NULL, PML_INSTANCE_STD, 1e-5, &is.loc, &is.scale, &error),
        &error);
    check_gradients(scaled_there_and_back, leaves, 1, &is);
    end_test();
}

PML_TESTS("runtime/ops/instance", PML_TEST(standard_statistics_keep_their_digits), PML_TEST(only_observed_steps_count),
          PML_TEST(mean_magnitude_borrows_from_the_batch), PML_TEST(no_scaling_leaves_values_alone),
          PML_TEST(refuses_masks_and_statistics_of_another_shape), PML_TEST(gradients_match_differences))
