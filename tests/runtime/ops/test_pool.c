#include "tests/runtime/ops/gradient_test.h"

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

/* A ragged batch gives what its sequences give alone, bit for bit. */
static void pools_ragged_sequences_one_by_one(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(6, 70)), together, alone;
    const size_t offsets[] = {0, 1, 4, 6}, empty[] = {0, 3, 3, 6};
    for (pml_pool_kind kind = PML_POOL_MEAN; kind <= PML_POOL_MAX; kind++) {
        PML_ASSERT_OK(pml_op_pool_ragged(&context, &x, offsets, 3, kind, &together, &error), &error);
        CU_ASSERT_TRUE_FATAL(has_shape(&together, SHAPE(3, 70)));
        for (size_t i = 0; i < 3; i++) {
            pml_tensor part = make_values(pml_tensor_f32(&x) + offsets[i] * 70, SHAPE(offsets[i + 1] - offsets[i], 70));
            PML_ASSERT_OK(pml_op_pool(&context, &part, kind, &alone, &error), &error);
            CU_ASSERT_TRUE(memcmp(pml_tensor_f32(&together) + i * 70, pml_tensor_f32(&alone), 70 * sizeof(float)) == 0);
        }
    }
    PML_ASSERT_FAILS(pml_op_pool_ragged(&context, &x, empty, 3, PML_POOL_MAX, &together, &error), PML_E_ARGUMENT,
                     &error, "sequence 1");
    PML_ASSERT_FAILS(pml_op_pool_ragged(&context, &x, offsets, 2, PML_POOL_MAX, &together, &error), PML_E_ARGUMENT,
                     &error, "offsets");
    end_test();
}

typedef struct pool_case {
    pml_pool_kind kind;
    const size_t *row_offsets; /* NULL: not ragged */
} pool_case;

static pml_status build(pml_tensor *leaves, void *user, pml_tensor *y) {
    const pool_case *is = user;
    return is->row_offsets == NULL ? pml_op_pool(&context, &leaves[0], is->kind, y, &error)
                                   : pml_op_pool_ragged(&context, &leaves[0], is->row_offsets, 2, is->kind, y, &error);
}

static void gradients_match_differences(void) {
    begin_test(1 << 20);
    const size_t offsets[] = {0, 2, 6};
    pml_tensor x = make_tensor(SHAPE(2, 3, 5)), rows = make_tensor(SHAPE(6, 5));
    for (int kind = 0; kind < 2; kind++) {
        pool_case is = {.kind = kind == 0 ? PML_POOL_MEAN : PML_POOL_MAX};
        check_gradients(build, &x, 1, &is);
        is.row_offsets = offsets;
        check_gradients(build, &rows, 1, &is);
    }
    end_test();
}

PML_TESTS("runtime/ops/pool", PML_TEST(gradients_match_differences), PML_TEST(takes_means_and_maxima_over_rows),
          PML_TEST(lets_nan_through), PML_TEST(pools_ragged_sequences_one_by_one))
