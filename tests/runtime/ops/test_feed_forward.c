#include "tests/runtime/ops/gradient_test.h"
#include "tests/runtime/ops/matrix_fixture.h"

/* The same layer as two ops. */
static pml_tensor in_two(const pml_tensor *x, const pml_feed_forward *layer) {
    pml_tensor between, y;
    PML_ASSERT_OK(pml_op_linear(&context, x, layer->up, layer->up_bias, layer->activation, NULL, &between, &error),
                  &error);
    PML_ASSERT_OK(pml_op_linear(&context, &between, layer->down, layer->down_bias, PML_ACTIVATION_IDENTITY,
                                layer->residual, &y, &error),
                  &error);
    return y;
}

/* Bit for bit, for every pair of forms, for one block of rows and for several. */
static void gives_what_two_products_give(void) {
    static const size_t rows[] = {0, 1, 47, 48, 149, 389};
    enum { IN = 20, WIDTH = 1500, OUT = 21 };
    for (size_t f = 0; f < MATRIX_FORMS; f++) {
        begin_test(1 << 23);
        pml_buffer buffers[2];
        const pml_tensor up = make_matrix(&matrix_forms[f], IN, WIDTH, &buffers[0]);
        const pml_tensor down = make_matrix(&matrix_forms[(f * 3 + 1) % MATRIX_FORMS], WIDTH, OUT, &buffers[1]);
        const pml_tensor up_bias = make_tensor(SHAPE(WIDTH)), down_bias = make_tensor(SHAPE(OUT));
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            const pml_tensor x = make_tensor(SHAPE(1, rows[i], IN)), residual = make_tensor(SHAPE(1, rows[i], OUT));
            const pml_feed_forward layer = {.up = &up,
                                            .up_bias = i % 2 == 0 ? &up_bias : NULL,
                                            .down = &down,
                                            .down_bias = i % 2 == 0 ? NULL : &down_bias,
                                            .activation = i % 3 == 0 ? PML_ACTIVATION_RELU : PML_ACTIVATION_GELU,
                                            .residual = i % 2 == 0 ? &residual : NULL};
            const size_t mark = pml_context_mark(&context);
            pml_tensor y;
            PML_ASSERT_OK(pml_op_feed_forward(&context, &x, &layer, &y, &error), &error);
            CU_ASSERT_EQUAL(pml_context_mark(&context) - mark, PML_FLOATS(rows[i], OUT));
            const pml_tensor expected = in_two(&x, &layer);
            CU_ASSERT_TRUE(same_bits(&y, &expected));
            pml_context_release(&context, mark, NULL);
        }
        end_test();
    }
}

/* What it takes beside its result is what it says, however many rows there are. */
static void keeps_to_its_storage(void) {
    begin_test(PML_SUM(PML_FLOATS(2000, 8), pml_op_feed_forward_bytes(2000, 8, 900)));
    CU_ASSERT_TRUE(pml_op_feed_forward_bytes(2000, 8, 900) < PML_FLOATS(2000, 900) / 4);
    CU_ASSERT_EQUAL(pml_op_feed_forward_bytes(3, 8, 900), PML_FLOATS(3, 900));
    pml_buffer buffers[2];
    const pml_tensor up = make_matrix(&matrix_forms[0], 8, 900, &buffers[0]);
    const pml_tensor down = make_matrix(&matrix_forms[0], 900, 8, &buffers[1]), x = make_tensor(SHAPE(2000, 8));
    pml_tensor y;
    PML_ASSERT_OK(pml_op_feed_forward(&context, &x, &(pml_feed_forward){.up = &up, .down = &down}, &y, &error), &error);
    CU_ASSERT_EQUAL(context.workspace_missed_bytes, 0);
    end_test();
}

typedef struct layer_case {
    pml_activation activation;
    bool has_bias;
    double dropout;
} layer_case;

/* leaves: x, up, its bias, down, its bias; x is the residual, too */
static pml_status layered(pml_tensor *leaves, void *user, pml_tensor *y) {
    const layer_case *is = user;
    pml_training training = {.seed = 3, .step = 2};
    const pml_feed_forward layer = {.up = &leaves[1],
                                    .up_bias = is->has_bias ? &leaves[2] : NULL,
                                    .down = &leaves[3],
                                    .down_bias = is->has_bias ? &leaves[4] : NULL,
                                    .activation = is->activation,
                                    .residual = &leaves[0],
                                    .dropout = is->dropout};
    pml_tape tape = {0};
    const bool is_recorded = context.tape != NULL;
    context.tape = is_recorded ? context.tape : &tape; /* without one nothing is dropped */
    context.training = &training;
    const pml_status status = pml_op_feed_forward(&context, &leaves[0], &layer, y, &error);
    context.training = NULL;
    context.tape = is_recorded ? context.tape : NULL;
    pml_tape_deinit(&tape);
    return status;
}

/* Gradients of all leaves, as one op or as those that it stands for. */
static void gradients_of(pml_tensor *leaves, const layer_case *is, bool is_one, size_t n_threads, float *sums[5]) {
    pml_tape tape = {0};
    pml_gradients *gradients = NULL;
    pml_training training = {.seed = 3, .step = 2};
    pml_leaf list[5];
    pml_tensor y, between;
    PML_ASSERT_OK(pml_gradients_create(&gradients, &error), &error);
    PML_ASSERT_OK(pml_context_threads_set(&context, n_threads, &error), &error);
    context.share_cost = 1;
    context.tape = &tape;
    if (is_one) {
        PML_ASSERT_OK(layered(leaves, (void *)(uintptr_t)is, &y), &error);
    } else {
        PML_ASSERT_OK(
            pml_op_linear(&context, &leaves[0], &leaves[1], &leaves[2], is->activation, NULL, &between, &error),
            &error);
        context.training = &training;
        PML_ASSERT_OK(pml_op_dropout(&context, &between, is->dropout, &between, &error), &error);
        context.training = NULL;
        PML_ASSERT_OK(
            pml_op_linear(&context, &between, &leaves[3], &leaves[4], PML_ACTIVATION_IDENTITY, &leaves[0], &y, &error),
            &error);
    }
    float *c = weights(pml_tensor_count(&y));
    for (size_t i = 0; i < 5; i++) {
        const size_t count = pml_tensor_count(&leaves[i]);
        sums[i] = calloc(count, sizeof(float));
        list[i] = (pml_leaf){pml_tensor_f32(&leaves[i]), sums[i], count};
    }
    const pml_gradient_seed seed = {&y, c};
    const pml_gradients_pass pass = {.leaves = list, .n_leaves = 5, .seeds = &seed, .n_seeds = 1};
    PML_ASSERT_OK(pml_gradients_run(gradients, &context, &pass, &error), &error);
    context.tape = NULL;
    free(c);
    pml_gradients_destroy(gradients);
    pml_tape_deinit(&tape);
}

/* Three threads give the bits of one, and both what separate ops give. */
static void check_matrices(pml_tensor *leaves, const layer_case *is) {
    float *one[5], *three[5], *apart[5];
    gradients_of(leaves, is, true, 1, one);
    gradients_of(leaves, is, true, 3, three);
    gradients_of(leaves, is, false, 1, apart);
    for (size_t i = 0; i < 5; i++) {
        const size_t count = pml_tensor_count(&leaves[i]);
        CU_ASSERT_EQUAL(memcmp(one[i], three[i], count * sizeof(float)), 0);
        size_t n_bad = 0;
        for (size_t k = 0; k < count && n_bad < 3; k++) {
            n_bad += !is_near((double)one[i][k], (double)apart[i][k], 1e-4);
        }
        CU_ASSERT_EQUAL(n_bad, 0);
        free(one[i]);
        free(three[i]);
        free(apart[i]);
    }
}

/* Narrow layers compute again what wide ones keep; several blocks of rows; with dropout and without. */
static void gradients_match_differences(void) {
    for (size_t i = 0; i < 6; i++) {
        begin_test(1 << 24);
        const size_t n = i % 2 == 0 ? 3 : 70, width = i < 4 ? 5 : 700, rows = i < 4 ? 7 : 400;
        pml_tensor leaves[] = {make_tensor(SHAPE(rows, n)), make_tensor(SHAPE(n, width)), make_tensor(SHAPE(width)),
                               make_tensor(SHAPE(width, n)), make_tensor(SHAPE(n))};
        const layer_case is = {i % 3 == 0 ? PML_ACTIVATION_TANH : PML_ACTIVATION_GELU, i != 1, i < 2 ? 0 : 0.4};
        if (i < 4) {
            check_gradients(layered, leaves, i == 1 ? 2 : 5, (void *)(uintptr_t)&is);
        } else {
            check_matrices(leaves, &is);
        }
        end_test();
    }
}

static void refuses_what_does_not_fit(void) {
    begin_test(1 << 16);
    pml_buffer buffers[2];
    const pml_tensor up = make_matrix(&matrix_forms[0], 3, 5, &buffers[0]);
    const pml_tensor down = make_matrix(&matrix_forms[0], 5, 2, &buffers[1]);
    const pml_tensor x = make_tensor(SHAPE(4, 3)), wide = make_tensor(SHAPE(4, 4)), two = make_tensor(SHAPE(2));
    pml_tensor half = down, y;
    half.dtype = PML_DTYPE_F16;
    const pml_feed_forward right = {.up = &up, .down = &down};
    pml_feed_forward wrong = right;
    PML_ASSERT_FAILS(pml_op_feed_forward(&context, &wide, &right, &y, &error), PML_E_ARGUMENT, &error, "4 columns");
    wrong.down = &up;
    PML_ASSERT_FAILS(pml_op_feed_forward(&context, &x, &wrong, &y, &error), PML_E_ARGUMENT, &error, "[3, 5]");
    wrong = right;
    wrong.up_bias = &two;
    PML_ASSERT_FAILS(pml_op_feed_forward(&context, &x, &wrong, &y, &error), PML_E_ARGUMENT, &error, "bias");
    wrong = right;
    wrong.residual = &x;
    PML_ASSERT_FAILS(pml_op_feed_forward(&context, &x, &wrong, &y, &error), PML_E_ARGUMENT, &error, "residual");
    wrong = right;
    wrong.down = &half;
    PML_ASSERT_FAILS(pml_op_feed_forward(&context, &x, &wrong, &y, &error), PML_E_UNSUPPORTED, &error, "F16");
    end_test();
}

PML_TESTS("runtime/ops/feed_forward", PML_TEST(gives_what_two_products_give), PML_TEST(keeps_to_its_storage),
          PML_TEST(gradients_match_differences), PML_TEST(refuses_what_does_not_fit))
