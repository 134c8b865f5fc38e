#include <math.h>

#include "runtime/ops/fourier.h"
#include "runtime/ops/inception.h"
#include "tests/runtime/ops/gradient_test.h"

enum { N = 192, M = N / 2 + 1 };
static float table[2 * M * M];

/* 3 sin(2 pi t / 24) + 2 sin(2 pi t / 12) + sin(2 pi t / 7): amplitudes as numpy's rfft gives them. */
static void periods_of_a_known_series(void) {
    static const size_t expected[] = {8, 16, 27};
    static const double amplitudes[] = {288.1705, 192.4683, 69.6564};
    begin_test(1 << 21);
    int64_t modes[M];
    size_t found[3] = {0};
    pml_buffer buffer;
    pml_tensor x = make_tensor(SHAPE(1, N, 1)), spectrum, y, picked;
    for (size_t t = 0; t < N; t++) {
        const double a = 6.283185307179586476925286766559 * (double)t;
        pml_tensor_f32(&x)[t] = (float)(3 * sin(a / 24) + 2 * sin(a / 12) + sin(a / 7));
    }
    for (size_t i = 0; i < M; i++) {
        modes[i] = (int64_t)i;
    }
    pml_fourier_table(modes, M, N, table);
    const size_t shape[] = {2 * M, M};
    const pml_tensor transform = pml_context_view(table, PML_DTYPE_F32, shape, 2, &buffer);
    PML_ASSERT_OK(pml_op_mix_steps(&context, &transform, &x, &spectrum, &error), &error);
    PML_ASSERT_OK(pml_op_amplitudes(&context, &spectrum, &y, &error), &error);
    pml_amplitudes_greatest(&y, 3, found);
    PML_ASSERT_OK(pml_op_pick(&context, &y, found, 3, &picked, &error), &error);
    for (size_t k = 0; k < 3; k++) {
        CU_ASSERT_EQUAL(found[k], expected[k]);
        CU_ASSERT_DOUBLE_EQUAL((double)pml_tensor_f32(&picked)[k], amplitudes[k], 1e-3);
    }
    end_test();
}

static void the_greatest_in_order(void) {
    begin_test(1 << 16);
    pml_tensor y = make_tensor(SHAPE(2, 6));
    static const float values[] = {9, 1, 4, 2, 3, 4, 9, 3, 0, 2, 3, 0}; /* sums 18, 4, 4, 4, 6, 4 */
    memcpy(pml_tensor_f32(&y), values, sizeof values);
    size_t found[5] = {0};
    pml_amplitudes_greatest(&y, 5, found);
    CU_ASSERT_TRUE(found[0] == 4 && found[1] == 1 && found[2] == 2 && found[3] == 3 && found[4] == 5);
    for (size_t i = 0; i < 12; i++) {
        pml_tensor_f32(&y)[i] = NAN;
    }
    pml_amplitudes_greatest(&y, 5, found);
    CU_ASSERT_TRUE(found[0] == 1 && found[4] == 5);
    end_test();
}

static void shares_add_up(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 3, 2)), part = make_tensor(SHAPE(2, 4, 2)), scores = make_tensor(SHAPE(2, 2));
    pml_tensor once, y;
    PML_ASSERT_OK(pml_op_add_share(&context, &x, &part, &scores, 0, &once, &error), &error);
    PML_ASSERT_OK(pml_op_add_share(&context, &once, &part, &scores, 1, &y, &error), &error);
    for (size_t i = 0; i < 12; i++) {
        CU_ASSERT_DOUBLE_EQUAL((double)pml_tensor_f32(&y)[i],
                               (double)pml_tensor_f32(&x)[i] + (double)pml_tensor_f32(&part)[i / 6 * 8 + i % 6], 1e-5);
    }
    PML_ASSERT_FAILS(pml_op_add_share(&context, &x, &part, &scores, 2, &y, &error), PML_E_ARGUMENT, &error, "scores");
    PML_ASSERT_FAILS(pml_op_add_share(&context, &part, &x, &scores, 0, &y, &error), PML_E_ARGUMENT, &error, "part");
    end_test();
}

static pml_status amplitudes(pml_tensor *leaves, void *user, pml_tensor *y) {
    (void)user;
    return pml_op_amplitudes(&context, &leaves[0], y, &error);
}

/* Columns by a list that is gone when the backward pass reads it, one of them twice. */
static pml_status pick(pml_tensor *leaves, void *user, pml_tensor *y) {
    size_t picked[] = {3, 1, 3};
    (void)user;
    const pml_status status = pml_op_pick(&context, &leaves[0], picked, 3, y, &error);
    memset(picked, 0xff, sizeof picked);
    return status;
}

static pml_status add_share(pml_tensor *leaves, void *user, pml_tensor *y) {
    return pml_op_add_share(&context, &leaves[0], &leaves[1], &leaves[2], *(const size_t *)user, y, &error);
}

static void gradients_match_differences(void) {
    begin_test(1 << 18);
    pml_tensor x = make_tensor(SHAPE(2, 6, 5)), columns = make_tensor(SHAPE(2, 3, 4));
    for (size_t i = 0; i < pml_tensor_count(&x); i++) { /* not too near to 0, where magnitudes have a kink */
        pml_tensor_f32(&x)[i] += pml_tensor_f32(&x)[i] < 0 ? -1.0F : 1.0F;
    }
    check_gradients(amplitudes, &x, 1, NULL);
    check_gradients(pick, &columns, 1, NULL);
    pml_tensor leaves[] = {make_tensor(SHAPE(2, 3, 2)), make_tensor(SHAPE(2, 4, 2)), make_tensor(SHAPE(2, 3))};
    for (size_t i = 0; i < 3; i++) {
        check_gradients(add_share, leaves, 3, &i);
    }
    end_test();
}

static void a_magnitude_of_0_has_no_gradient(void) {
    begin_test(1 << 16);
    pml_tape tape = {0};
    pml_gradients *gradients = NULL;
    pml_tensor x = make_tensor(SHAPE(1, 2, 2)), y;
    static const float values[] = {0, 3, 0, -4};
    static const float c[] = {2};
    float d[4] = {0};
    memcpy(pml_tensor_f32(&x), values, sizeof values);
    context.tape = &tape;
    PML_ASSERT_OK(pml_gradients_create(&gradients, &error), &error);
    PML_ASSERT_OK(pml_op_amplitudes(&context, &x, &y, &error), &error);
    const pml_leaf leaf = {pml_tensor_f32(&x), d, 4};
    const pml_gradient_seed seed = {&y, c};
    PML_ASSERT_OK(pml_gradients_run(gradients, &context,
                                    &(pml_gradients_pass){.leaves = &leaf, .n_leaves = 1, .seeds = &seed, .n_seeds = 1},
                                    &error),
                  &error);
    CU_ASSERT_TRUE(d[0] == 0 && d[2] == 0);
    CU_ASSERT_DOUBLE_EQUAL((double)d[1], 0.6, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL((double)d[3], -0.8, 1e-6);
    context.tape = NULL;
    pml_gradients_destroy(gradients);
    pml_tape_deinit(&tape);
    end_test();
}

PML_TESTS("runtime/ops/amplitudes", PML_TEST(gradients_match_differences), PML_TEST(a_magnitude_of_0_has_no_gradient),
          PML_TEST(periods_of_a_known_series), PML_TEST(the_greatest_in_order), PML_TEST(shares_add_up))
