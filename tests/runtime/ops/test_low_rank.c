#include <math.h>

#include "tests/runtime/ops/gradient_test.h"
#include "tests/runtime/ops/lora_oracle.h"

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

/* ---- PyTorch (scripts/make_lora_oracle.py) ---- */
enum { P_ROWS = 7, P_IN = 6, P_WIDTH = 20, P_OUT = 5, P_RANK = 3 };

static pml_tensor exact(size_t salt, const size_t *shape, unsigned rank) {
    pml_tensor tensor = {0};
    PML_ASSERT_OK(pml_context_tensor(&context, PML_DTYPE_F32, shape, rank, &tensor, &error), &error);
    for (size_t i = 0; i < pml_tensor_count(&tensor); i++) {
        pml_tensor_f32(&tensor)[i] = (float)((int)((i * 37 + salt * 11 + i * i % 13) % 64) - 31) / 32.0F;
    }
    return tensor;
}

static void judge(const char *name, const float *found, const double *truth, size_t count, double apart) {
    double worst = 0, most = 0;
    for (size_t i = 0; i < count; i++) {
        worst = fmax(worst, fabs((double)found[i] - truth[i]));
        most = fmax(most, fabs(truth[i]));
    }
    const double allowed = fmax(4 * apart, 1e-6 * most);
    if (!(worst <= allowed)) {
        (void)printf("    %s: error %.3g, allowed %.3g\n", name, worst, allowed);
        CU_FAIL("PyTorch's");
    }
}

static void is_as_pytorch_has_it(void) {
    begin_test(1 << 22);
    const pml_tensor x = exact(1, SHAPE(P_ROWS, P_IN)), up = exact(2, SHAPE(P_IN, P_WIDTH)),
                     up_bias = exact(3, SHAPE(P_WIDTH)), down = exact(4, SHAPE(P_WIDTH, P_OUT)),
                     down_bias = exact(5, SHAPE(P_OUT)), c = exact(10, SHAPE(P_ROWS, P_OUT));
    const pml_low_rank first = {exact(6, SHAPE(P_IN, P_RANK)), exact(7, SHAPE(P_RANK, P_WIDTH)), 1.5, 0},
                       second = {exact(8, SHAPE(P_WIDTH, P_RANK)), exact(9, SHAPE(P_RANK, P_OUT)), 1.5, 0};
    const pml_feed_forward layer = {.up = &up,
                                    .up_bias = &up_bias,
                                    .down = &down,
                                    .down_bias = &down_bias,
                                    .activation = PML_ACTIVATION_GELU_TANH,
                                    .up_adapter = &first,
                                    .down_adapter = &second};
    const struct {
        const char *name;
        const pml_tensor *tensor;
        const double *truth, *apart;
    } wanted[] = {{"x", &x, oracle_x, &oracle_x_error},
                  {"up_a", &first.a, oracle_up_a, &oracle_up_a_error},
                  {"up_b", &first.b, oracle_up_b, &oracle_up_b_error},
                  {"down_a", &second.a, oracle_down_a, &oracle_down_a_error},
                  {"down_b", &second.b, oracle_down_b, &oracle_down_b_error}};
    enum { N = 5, MOST = 64 };
    float gradients_of[N][MOST] = {{0}};
    pml_leaf leaves[N];
    pml_tape tape = {0};
    pml_gradients *gradients = NULL;
    pml_tensor plain, y;
    PML_ASSERT_OK(pml_op_feed_forward(&context, &x, &layer, &plain, &error), &error);
    judge("y", pml_tensor_f32(&plain), oracle_y, P_ROWS * P_OUT, oracle_y_error);
    context.tape = &tape;
    PML_ASSERT_OK(pml_op_feed_forward(&context, &x, &layer, &y, &error), &error);
    judge("y on a tape", pml_tensor_f32(&y), oracle_y, P_ROWS * P_OUT, oracle_y_error);
    for (size_t i = 0; i < N; i++) {
        CU_ASSERT_TRUE_FATAL(pml_tensor_count(wanted[i].tensor) <= MOST);
        leaves[i] = (pml_leaf){pml_tensor_f32(wanted[i].tensor), gradients_of[i], pml_tensor_count(wanted[i].tensor)};
    }
    const pml_gradient_seed seed = {&y, pml_tensor_f32(&c)};
    const pml_gradients_pass pass = {.leaves = leaves, .n_leaves = N, .seeds = &seed, .n_seeds = 1};
    PML_ASSERT_OK(pml_gradients_create(&gradients, &error), &error);
    PML_ASSERT_OK(pml_gradients_run(gradients, &context, &pass, &error), &error);
    for (size_t i = 0; i < N; i++) {
        judge(wanted[i].name, gradients_of[i], wanted[i].truth, leaves[i].count, *wanted[i].apart);
    }
    context.tape = NULL;
    pml_gradients_destroy(gradients);
    pml_tape_deinit(&tape);
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
          PML_TEST(is_the_sum), PML_TEST(is_as_pytorch_has_it), PML_TEST(what_does_not_fit_is_refused))
