#include "runtime/ops/signal.h"
#include "tests/runtime/ops/gradient_test.h"

static void every_value_has_its_own_mixture(void) {
    begin_test(1 << 16);
    pml_tensor parts[3], scores = make_tensor(SHAPE(24, 3)), y;
    for (size_t k = 0; k < 3; k++) {
        parts[k] = make_tensor(SHAPE(2, 3, 4));
    }
    pml_tensor_f32(&scores)[4] = 200; /* exp of it is no float */
    PML_ASSERT_OK(pml_op_weigh(&context, parts, 3, &scores, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 3, 4)));
    for (size_t i = 0; i < 24; i++) {
        double total = 0, sum = 0;
        for (size_t k = 0; k < 3; k++) {
            const double weight = exp((double)pml_tensor_f32(&scores)[i * 3 + k]);
            total += weight;
            sum += weight * (double)pml_tensor_f32(&parts[k])[i];
        }
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[i], sum / total, 1e-7));
    }
    CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[1], (double)pml_tensor_f32(&parts[1])[1], 1e-7));
    end_test();
}

static void what_does_not_fit_is_refused(void) {
    begin_test(1 << 16);
    pml_tensor parts[2] = {make_tensor(SHAPE(2, 3)), make_tensor(SHAPE(3, 2))}, scores = make_tensor(SHAPE(6, 2)), y;
    PML_ASSERT_FAILS(pml_op_weigh(&context, parts, 2, &scores, &y, &error), PML_E_ARGUMENT, &error, "one shape");
    PML_ASSERT_FAILS(pml_op_weigh(&context, parts, 1, &scores, &y, &error), PML_E_ARGUMENT, &error, "[6, 1]");
    PML_ASSERT_FAILS(pml_op_weigh(&context, parts, 0, &scores, &y, &error), PML_E_ARGUMENT, &error, "0 parts");
    PML_ASSERT_FAILS(pml_op_weigh(&context, parts, 6, &scores, &y, &error), PML_E_ARGUMENT, &error, "6 parts");
    end_test();
}

static pml_status weighed(pml_tensor *leaves, void *user, pml_tensor *y) {
    const size_t n_parts = *(const size_t *)user;
    return pml_op_weigh(&context, leaves, n_parts, &leaves[n_parts], y, &error);
}

static void gradients_match_differences(void) {
    begin_test(1 << 20);
    for (size_t n = 1; n <= PML_WEIGH_MAX_PARTS; n++) {
        pml_tensor leaves[PML_WEIGH_MAX_PARTS + 1];
        for (size_t k = 0; k < n; k++) {
            leaves[k] = make_tensor(SHAPE(2, 9));
        }
        leaves[n] = make_tensor(SHAPE(18, n));
        check_gradients(weighed, leaves, n + 1, &n);
    }
    end_test();
}

PML_TESTS("runtime/ops/weigh", PML_TEST(every_value_has_its_own_mixture), PML_TEST(what_does_not_fit_is_refused),
          PML_TEST(gradients_match_differences))
