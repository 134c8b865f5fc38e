#include "runtime/ops/inception.h"
#include "tests/runtime/ops/gradient_test.h"

/* One value by the definition. */
static double by_definition(const pml_tensor *x, const pml_tensor *w, const size_t at[4]) {
    const long taps = (long)w->shape[0], n_in = (long)x->shape[3], n_out = (long)w->shape[2];
    double sum = 0;
    for (long i = 0; i < taps * taps * n_in; i++) {
        const long h = (long)at[1] + i / (taps * n_in) - taps / 2, v = (long)at[2] + i / n_in % taps - taps / 2;
        if (h >= 0 && v >= 0 && h < (long)x->shape[1] && v < (long)x->shape[2]) {
            const long from = (((long)at[0] * (long)x->shape[1] + h) * (long)x->shape[2] + v) * n_in + i % n_in;
            sum += (double)pml_tensor_f32_const(x)[from] * (double)pml_tensor_f32_const(w)[i * n_out + (long)at[3]];
        }
    }
    return sum;
}

/* Images lower, narrower and larger than the taps reach. */
static void images_are_convolved(void) {
    static const size_t sizes[][2] = {{1, 7}, {7, 1}, {2, 3}, {6, 5}};
    for (size_t k = 0; k < 4; k++) {
        for (size_t taps = 1; taps <= 5; taps += 2) {
            begin_test(1 << 18);
            const size_t height = sizes[k][0], width = sizes[k][1];
            pml_tensor x = make_tensor(SHAPE(2, height, width, 3)), w = make_tensor(SHAPE(taps, taps * 3, 4)), y;
            pml_tensor bias = make_tensor(SHAPE(4)), residual = make_tensor(SHAPE(2, height, width, 4));
            PML_ASSERT_OK(pml_op_convolve(&context, &x, &w, &bias, &residual, &y, &error), &error);
            CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, height, width, 4)));
            for (size_t i = 0; i < pml_tensor_count(&y); i++) {
                const size_t at[] = {i / 4 / width / height, i / 4 / width % height, i / 4 % width, i % 4};
                const double expected = by_definition(&x, &w, at) + (double)pml_tensor_f32(&bias)[at[3]] +
                                        (double)pml_tensor_f32(&residual)[i];
                CU_ASSERT_DOUBLE_EQUAL((double)pml_tensor_f32(&y)[i], expected, 1e-4);
            }
            end_test();
        }
    }
}

static void what_does_not_fit_is_refused(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(1, 2, 2, 3)), even = make_tensor(SHAPE(2, 6, 4)), y;
    pml_tensor w = make_tensor(SHAPE(3, 9, 4)), bias = make_tensor(SHAPE(4)), less = make_tensor(SHAPE(3));
    PML_ASSERT_FAILS(pml_op_convolve(&context, &x, &even, &bias, NULL, &y, &error), PML_E_ARGUMENT, &error, "odd");
    PML_ASSERT_FAILS(pml_op_convolve(&context, &x, &w, &less, NULL, &y, &error), PML_E_ARGUMENT, &error, "bias");
    PML_ASSERT_FAILS(pml_op_convolve(&context, &x, &w, &bias, &x, &y, &error), PML_E_ARGUMENT, &error, "residual");
    end_test();
}

static pml_status convolve(pml_tensor *leaves, void *user, pml_tensor *y) {
    return pml_op_convolve(&context, &leaves[0], &leaves[1], &leaves[2], user == NULL ? NULL : &leaves[3], y, &error);
}

static pml_status convolve_twice(pml_tensor *leaves, void *user, pml_tensor *y) {
    pml_tensor first;
    (void)user;
    PML_ASSERT_OK(pml_op_convolve(&context, &leaves[0], &leaves[1], &leaves[2], &leaves[0], &first, &error), &error);
    return pml_op_convolve(&context, &first, &leaves[1], &leaves[2], &leaves[0], y, &error);
}

static void gradients_match_differences(void) {
    static const size_t sizes[][2] = {{1, 7}, {7, 1}, {2, 3}, {6, 5}};
    for (size_t k = 0; k < 4; k++) {
        for (size_t taps = 1; taps <= 5; taps += 2) {
            begin_test(1 << 20);
            const size_t height = sizes[k][0], width = sizes[k][1];
            pml_tensor leaves[] = {make_tensor(SHAPE(2, height, width, 3)), make_tensor(SHAPE(taps, taps * 3, 4)),
                                   make_tensor(SHAPE(4)), make_tensor(SHAPE(2, height, width, 4))};
            check_gradients(convolve, leaves, 4, leaves);
            check_gradients(convolve, leaves, 3, NULL);
            check_gradients(convolve, leaves, 1, NULL);
            end_test();
        }
    }
    begin_test(1 << 20);
    pml_tensor leaves[] = {make_tensor(SHAPE(3, 2, 2, 3)), make_tensor(SHAPE(3, 9, 3)), make_tensor(SHAPE(3))};
    check_gradients(convolve_twice, leaves, 3, NULL);
    end_test();
}

/* Many rows of a matrix and many images, with one thread and with three: the same bits. */
static void threads_do_not_matter(void) {
    enum { B = 5, H = 6, W = 7, C = 20, OUT = 18, TAPS = 5, COUNT_W = TAPS * TAPS * C * OUT, COUNT_X = B * H * W * C };
    static float results[2][COUNT_W + COUNT_X + B * H * W * OUT];
    for (size_t k = 0; k < 2; k++) {
        begin_test(1 << 22);
        PML_ASSERT_OK(pml_context_threads_set(&context, k == 0 ? 1 : 3, &error), &error);
        context.share_cost = 1;
        pml_tape tape = {0};
        pml_gradients *gradients = NULL;
        PML_ASSERT_OK(pml_gradients_create(&gradients, &error), &error);
        pml_tensor x = make_tensor(SHAPE(B, H, W, C)), w = make_tensor(SHAPE(TAPS, TAPS * C, OUT));
        pml_tensor bias = make_tensor(SHAPE(OUT)), y;
        context.tape = &tape;
        PML_ASSERT_OK(pml_op_convolve(&context, &x, &w, &bias, NULL, &y, &error), &error);
        float *c = weights(pml_tensor_count(&y));
        memset(results[k], 0, sizeof results[k]);
        const pml_leaf leaves[] = {{pml_tensor_f32(&w), results[k], COUNT_W},
                                   {pml_tensor_f32(&x), results[k] + COUNT_W, COUNT_X}};
        const pml_gradient_seed seed = {&y, c};
        const pml_gradients_pass pass = {.leaves = leaves, .n_leaves = 2, .seeds = &seed, .n_seeds = 1};
        PML_ASSERT_OK(pml_gradients_run(gradients, &context, &pass, &error), &error);
        memcpy(results[k] + COUNT_W + COUNT_X, pml_tensor_f32(&y), pml_tensor_count(&y) * sizeof(float));
        context.tape = NULL;
        free(c);
        pml_gradients_destroy(gradients);
        pml_tape_deinit(&tape);
        end_test();
    }
    CU_ASSERT_EQUAL(memcmp(results[0], results[1], sizeof results[0]), 0);
}

PML_TESTS("runtime/ops/convolve", PML_TEST(images_are_convolved), PML_TEST(gradients_match_differences),
          PML_TEST(threads_do_not_matter), PML_TEST(what_does_not_fit_is_refused))
