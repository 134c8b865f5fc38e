#include "tests/runtime/ops/gradient_test.h"
#include "tests/runtime/ops/matrix_fixture.h"

typedef struct linear_case {
    bool has_bias, has_residual;
    pml_activation activation;
} linear_case;

/* leaves: x, w, bias, residual */
static pml_status linear(pml_tensor *leaves, void *user, pml_tensor *y) {
    const linear_case *is = user;
    return pml_op_linear(&context, &leaves[0], &leaves[1], is->has_bias ? &leaves[2] : NULL, is->activation,
                         is->has_residual ? &leaves[3] : NULL, y, &error);
}

static void matches_differences(void) {
    begin_test(1 << 22);
    pml_tensor leaves[] = {make_tensor(SHAPE(2, 3, 5)), make_tensor(SHAPE(5, 18)), make_tensor(SHAPE(18)),
                           make_tensor(SHAPE(2, 3, 18))};
    check_gradients(linear, leaves, 4, &(linear_case){true, true, PML_ACTIVATION_IDENTITY});
    check_gradients(linear, leaves, 2, &(linear_case){false, false, PML_ACTIVATION_IDENTITY});
    end_test();
}

static void matches_differences_in_groups(void) {
    begin_test(1 << 22);
    pml_tensor leaves[] = {make_tensor(SHAPE(2, 3, 4, 5)), make_tensor(SHAPE(3, 5, 6)), make_tensor(SHAPE(3, 6)),
                           make_tensor(SHAPE(2, 3, 4, 6))};
    check_gradients(linear, leaves, 4, &(linear_case){true, true, PML_ACTIVATION_IDENTITY});
    pml_tensor rows[] = {make_tensor(SHAPE(4, 3, 5)), make_tensor(SHAPE(3, 5, 6)), make_tensor(SHAPE(3, 6)),
                         make_tensor(SHAPE(4, 3, 6))};
    check_gradients(linear, rows, 4, &(linear_case){true, true, PML_ACTIVATION_IDENTITY});
    end_test();
}

/* Gradients of x [m][in] and w by the formulas, in double. */
static void check_large(size_t m, size_t n_in, size_t n_out, size_t n_threads, float *dw_out) {
    begin_test((m * (n_in + n_out) + n_in * n_out) * 8 + (1 << 16));
    PML_ASSERT_OK(pml_context_threads_set(&context, n_threads, &error), &error);
    context.share_cost = 1;
    pml_tape tape = {0};
    pml_gradients *gradients = NULL;
    PML_ASSERT_OK(pml_gradients_create(&gradients, &error), &error);
    pml_tensor x = make_tensor(SHAPE(m, n_in)), w = make_tensor(SHAPE(n_in, n_out)), y;
    context.tape = &tape;
    PML_ASSERT_OK(pml_op_linear(&context, &x, &w, NULL, PML_ACTIVATION_IDENTITY, NULL, &y, &error), &error);
    float *c = weights(m * n_out), *dx = calloc(m * n_in, sizeof *dx), *dw = calloc(n_in * n_out, sizeof *dw);
    const pml_leaf leaves[] = {{pml_tensor_f32(&x), dx, m * n_in}, {pml_tensor_f32(&w), dw, n_in * n_out}};
    const pml_gradient_seed seed = {&y, c};
    const pml_gradients_pass pass = {.leaves = leaves, .n_leaves = 2, .seeds = &seed, .n_seeds = 1};
    PML_ASSERT_OK(pml_gradients_run(gradients, &context, &pass, &error), &error);
    for (size_t k = 0; k < 200; k++) {
        const size_t i = k * 7919 % (n_in * n_out), row = i / n_out, column = i % n_out, r = k * 131 % m;
        double sum = 0, input = 0;
        for (size_t t = 0; t < m; t++) {
            sum += (double)pml_tensor_f32(&x)[t * n_in + row] * (double)c[t * n_out + column];
        }
        for (size_t o = 0; o < n_out; o++) {
            input += (double)c[r * n_out + o] * (double)pml_tensor_f32(&w)[row * n_out + o];
        }
        CU_ASSERT_TRUE(is_near((double)dw[i], sum, 1e-5));
        CU_ASSERT_TRUE(is_near((double)dx[r * n_in + row], input, 1e-5));
    }
    memcpy(dw_out, dw, n_in * n_out * sizeof *dw);
    context.tape = NULL;
    free(c);
    free(dx);
    free(dw);
    pml_gradients_destroy(gradients);
    pml_tape_deinit(&tape);
    end_test();
}

static void sizes_and_threads_do_not_matter(void) {
    static const size_t sizes[][3] = {{1000, 16, 24}, {700, 300, 130}, {5, 40, 2000}, {20000, 3, 5}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const size_t count = sizes[i][1] * sizes[i][2];
        float *one = malloc(count * sizeof *one), *three = malloc(count * sizeof *three);
        check_large(sizes[i][0], sizes[i][1], sizes[i][2], 1, one);
        check_large(sizes[i][0], sizes[i][1], sizes[i][2], 3, three);
        CU_ASSERT_EQUAL(memcmp(one, three, count * sizeof *one), 0);
        free(one);
        free(three);
    }
}

PML_TESTS("runtime/ops/linear_backward", PML_TEST(matches_differences), PML_TEST(matches_differences_in_groups),
          PML_TEST(sizes_and_threads_do_not_matter))
