#include "tests/runtime/ops/gradient_test.h"

typedef struct adapted_case {
    pml_activation activation;
    bool has_bias, has_residual, is_feed_forward;
} adapted_case;

enum { ROWS = 6, IN = 5, R = 3, OUT = 18 };

/* leaves: x, a, b, bias, residual and w, or the feed-forward's second matrix */
static pml_tensor frozen;

static pml_status adapted(pml_tensor *leaves, void *user, pml_tensor *y) {
    const adapted_case *is = user;
    const pml_low_rank adapter = {.a = leaves[1], .b = leaves[2], .scale = 0.75};
    const pml_linear_part part = {.w = &frozen,
                                  .bias = is->has_bias ? &leaves[3] : NULL,
                                  .activation = is->activation,
                                  .residual = is->has_residual ? &leaves[4] : NULL,
                                  .adapter = &adapter,
                                  .y = y};
    if (!is->is_feed_forward) {
        return pml_op_linears(&context, &leaves[0], &part, 1, &error);
    }
    const pml_feed_forward layer = {
        .up = &frozen, .up_bias = part.bias, .down = &leaves[5], .activation = is->activation, .up_adapter = &adapter};
    return pml_op_feed_forward(&context, &leaves[0], &layer, y, &error);
}

static const adapted_case cases[] = {{PML_ACTIVATION_IDENTITY, true, true, false},
                                     {PML_ACTIVATION_IDENTITY, false, false, false},
                                     {PML_ACTIVATION_TANH, true, false, false},
                                     {PML_ACTIVATION_TANH, true, true, false},
                                     {PML_ACTIVATION_GELU_TANH, true, false, true}};
#define N_CASES (sizeof cases / sizeof cases[0])

static void make_leaves(pml_tensor leaves[6]) {
    leaves[0] = make_tensor(SHAPE(2, ROWS / 2, IN));
    leaves[1] = make_tensor(SHAPE(IN, R));
    leaves[2] = make_tensor(SHAPE(R, OUT));
    leaves[3] = make_tensor(SHAPE(OUT));
    leaves[4] = make_tensor(SHAPE(2, ROWS / 2, OUT));
    leaves[5] = make_tensor(SHAPE(OUT, IN));
    frozen = make_tensor(SHAPE(IN, OUT));
}

/* A, B, x, and what else is read. */
static void gradients_match_differences(void) {
    for (size_t i = 0; i < N_CASES; i++) {
        begin_test(1 << 22);
        pml_tensor leaves[6];
        make_leaves(leaves);
        const size_t n_wanted = cases[i].has_residual ? 5 : cases[i].has_bias ? 4 : 3;
        check_gradients(adapted, leaves, n_wanted, (void *)(uintptr_t)&cases[i]);
        end_test();
    }
}

/* Without a tape it is added in place: the same bits, and what it takes is given back. */
static void a_tape_changes_nothing(void) {
    for (size_t i = 0; i < N_CASES; i++) {
        begin_test(1 << 22);
        pml_tape tape = {0};
        pml_tensor leaves[6], taped, plain;
        make_leaves(leaves);
        context.tape = &tape;
        PML_ASSERT_OK(adapted(leaves, (void *)(uintptr_t)&cases[i], &taped), &error);
        context.tape = NULL;
        const size_t mark = pml_context_mark(&context);
        PML_ASSERT_OK(adapted(leaves, (void *)(uintptr_t)&cases[i], &plain), &error);
        const size_t n = pml_tensor_count(&plain);
        CU_ASSERT_EQUAL(pml_context_mark(&context), mark + pml_context_bytes(n, sizeof(float)));
        CU_ASSERT_EQUAL(n, pml_tensor_count(&taped));
        for (size_t k = 0; k < n; k++) {
            CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&plain)[k], (double)pml_tensor_f32(&taped)[k],
                                   cases[i].activation == PML_ACTIVATION_IDENTITY ? 0 : 1e-6));
        }
        pml_tape_deinit(&tape);
        end_test();
    }
}

/* y = x W + scale (x A) B, in double. */
static void is_the_sum(void) {
    begin_test(1 << 20);
    pml_tensor leaves[6], y;
    make_leaves(leaves);
    PML_ASSERT_OK(adapted(leaves, (void *)(uintptr_t)&cases[1], &y), &error);
    const float *x = pml_tensor_f32(&leaves[0]), *a = pml_tensor_f32(&leaves[1]), *b = pml_tensor_f32(&leaves[2]);
    for (size_t row = 0; row < ROWS; row++) {
        for (size_t o = 0; o < OUT; o++) {
            double sum = 0;
            for (size_t i = 0; i < IN; i++) {
                double w = (double)pml_tensor_f32(&frozen)[i * OUT + o];
                for (size_t r = 0; r < R; r++) {
                    w += 0.75 * (double)a[i * R + r] * (double)b[r * OUT + o];
                }
                sum += (double)x[row * IN + i] * w;
            }
            CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[row * OUT + o], sum, 1e-5));
        }
    }
    end_test();
}

static void what_does_not_fit_is_refused(void) {
    begin_test(1 << 20);
    pml_tensor leaves[6], y;
    make_leaves(leaves);
    leaves[2] = make_tensor(SHAPE(R + 1, OUT));
    PML_ASSERT_FAILS(adapted(leaves, (void *)(uintptr_t)&cases[0], &y), PML_E_ARGUMENT, &error,
                     "an adapter of [5, 3] and [4, 18] does not fit a matrix [5, 18]");
    end_test();
}

PML_TESTS("runtime/ops/low_rank", PML_TEST(gradients_match_differences), PML_TEST(a_tape_changes_nothing),
          PML_TEST(is_the_sum), PML_TEST(what_does_not_fit_is_refused))
