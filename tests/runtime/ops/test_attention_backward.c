#include "tests/runtime/ops/gradient_test.h"

static pml_training training;

typedef struct attention_case {
    pml_attention_options options;
    size_t n_layers; /* that hand their scores on; 0: one that does not */
    bool same;       /* keys and values are the queries */
} attention_case;

/* leaves: q, k, v, mask. Layers read the same operands, and their results are added. */
static pml_status build(pml_tensor *leaves, void *user, pml_tensor *y) {
    const attention_case *is = user;
    pml_attention_options options = is->options;
    pml_tensor scores = {0}, sum, next;
    pml_status status;
    training = (pml_training){.seed = 3, .step = 8};
    context.training = &training;
    options.scores = is->n_layers > 0 ? &scores : NULL;
    status = pml_op_attention(&context, &leaves[0], &leaves[is->same ? 0 : 1], &leaves[is->same ? 0 : 2], &options, y,
                              &error);
    for (size_t i = 1; i < is->n_layers && status == PML_OK; i++) {
        sum = *y;
        status = pml_op_attention(&context, &leaves[0], &leaves[1], &leaves[2], &options, &next, &error);
        status = status != PML_OK ? status : pml_op_add(&context, &sum, &next, y, &error);
    }
    return status;
}

static void matches_differences_along_any_axis(void) {
    for (unsigned axis = 0; axis < 3; axis++) {
        begin_test(1 << 20);
        size_t shape[] = {2, 3, 2, 6}, key_shape[4];
        memcpy(key_shape, shape, sizeof shape);
        key_shape[axis] += 2;
        pml_tensor leaves[] = {make_tensor(shape, 4), make_tensor(key_shape, 4), make_tensor(key_shape, 4)};
        attention_case is = {.options = {.n_heads = 2, .axis = axis, .scale = 0.8F}};
        check_gradients(build, leaves, 3, &is);
        is.options.causal = true;
        check_gradients(build, leaves, 3, &is);
        is.same = true;
        check_gradients(build, leaves, 1, &is);
        end_test();
    }
}

static void matches_differences_of_wide_heads(void) {
    begin_test(1 << 20);
    pml_tensor leaves[] = {make_tensor(SHAPE(1, 6, 40)), make_tensor(SHAPE(1, 19, 40)), make_tensor(SHAPE(1, 19, 40))};
    attention_case is = {.options = {.n_heads = 2, .axis = 1, .scale = 0.3F}};
    check_gradients(build, leaves, 3, &is);
    end_test();
}

static void matches_differences_with_masks_and_dropout(void) {
    begin_test(1 << 20);
    pml_tensor leaves[] = {make_tensor(SHAPE(3, 4, 6)), make_tensor(SHAPE(3, 4, 6)), make_tensor(SHAPE(3, 4, 6)),
                           make_tensor(SHAPE(3, 1, 4))};
    pml_tensor_f32(&leaves[3])[2] = -INFINITY;
    attention_case is = {.options = {.n_heads = 3, .axis = 1, .scale = 1, .mask = &leaves[3]}};
    check_gradients(build, leaves, 3, &is);
    is.options.dropout = 0.3;
    check_gradients(build, leaves, 3, &is);
    is.options.causal = true;
    check_gradients(build, leaves, 3, &is);
    end_test();
}

static void matches_differences_of_ragged_batches(void) {
    begin_test(1 << 20);
    const size_t offsets[] = {0, 3, 3, 8};
    pml_tensor leaves[] = {make_tensor(SHAPE(8, 6)), make_tensor(SHAPE(8, 6)), make_tensor(SHAPE(8, 6))};
    attention_case is = {
        .options = {.n_heads = 2, .scale = 0.7F, .row_offsets = offsets, .n_sequences = 3, .causal = true}};
    check_gradients(build, leaves, 3, &is);
    is.options.dropout = 0.2;
    check_gradients(build, leaves, 3, &is);
    end_test();
}

static void gradients_flow_through_handed_scores(void) {
    begin_test(1 << 21);
    pml_tensor leaves[] = {make_tensor(SHAPE(2, 5, 6)), make_tensor(SHAPE(2, 5, 6)), make_tensor(SHAPE(2, 5, 6))};
    attention_case is = {.options = {.n_heads = 2, .axis = 1, .scale = 0.6F}};
    for (is.n_layers = 1; is.n_layers <= 3; is.n_layers++) {
        check_gradients(build, leaves, 3, &is);
    }
    is.n_layers = 2;
    is.options.dropout = 0.25;
    check_gradients(build, leaves, 3, &is);
    is.options.causal = true;
    check_gradients(build, leaves, 3, &is);
    end_test();
}

static void masks_have_no_gradient(void) {
    begin_test(1 << 20);
    pml_tape tape = {0};
    pml_gradients *gradients = NULL;
    PML_ASSERT_OK(pml_gradients_create(&gradients, &error), &error);
    pml_tensor q = make_tensor(SHAPE(1, 3, 4)), mask = make_tensor(SHAPE(3, 3)), y;
    const pml_attention_options options = {.n_heads = 1, .axis = 1, .scale = 1, .mask = &mask};
    context.tape = &tape;
    PML_ASSERT_OK(pml_op_attention(&context, &q, &q, &q, &options, &y, &error), &error);
    float gradient[12] = {0};
    const pml_leaf leaf = {pml_tensor_f32(&mask), gradient, 9};
    const pml_gradient_seed seed = {&y, pml_tensor_f32(&q)};
    const pml_gradients_pass pass = {.leaves = &leaf, .n_leaves = 1, .seeds = &seed, .n_seeds = 1};
    PML_ASSERT_FAILS(pml_gradients_run(gradients, &context, &pass, &error), PML_E_UNSUPPORTED, &error, "mask");
    context.tape = NULL;
    pml_gradients_destroy(gradients);
    pml_tape_deinit(&tape);
    end_test();
}

/* y and the gradients of q, k and v of a batch that threads share. */
static void run_large(size_t n_threads, float *all) {
    begin_test(1 << 22);
    PML_ASSERT_OK(pml_context_threads_set(&context, n_threads, &error), &error);
    context.share_cost = 1;
    pml_tape tape = {0};
    pml_gradients *gradients = NULL;
    PML_ASSERT_OK(pml_gradients_create(&gradients, &error), &error);
    pml_tensor leaves[] = {make_tensor(SHAPE(5, 90, 8)), make_tensor(SHAPE(5, 90, 8)), make_tensor(SHAPE(5, 90, 8))}, y;
    attention_case is = {.options = {.n_heads = 2, .axis = 1, .scale = 0.6F, .dropout = 0.1}};
    context.tape = &tape;
    PML_ASSERT_OK(build(leaves, &is, &y), &error);
    memset(all, 0, (size_t)4 * 3600 * sizeof *all);
    memcpy(all, pml_tensor_f32(&y), 3600 * sizeof *all);
    float *c = weights(3600);
    pml_leaf list[3];
    for (size_t i = 0; i < 3; i++) {
        list[i] = (pml_leaf){pml_tensor_f32(&leaves[i]), all + (i + 1) * 3600, 3600};
    }
    const pml_gradient_seed seed = {&y, c};
    const pml_gradients_pass pass = {.leaves = list, .n_leaves = 3, .seeds = &seed, .n_seeds = 1};
    PML_ASSERT_OK(pml_gradients_run(gradients, &context, &pass, &error), &error);
    context.tape = NULL;
    free(c);
    pml_gradients_destroy(gradients);
    pml_tape_deinit(&tape);
    end_test();
}

static void threads_do_not_matter(void) {
    float *one = malloc((size_t)4 * 3600 * sizeof *one), *three = malloc((size_t)4 * 3600 * sizeof *three);
    run_large(1, one);
    run_large(3, three);
    CU_ASSERT_EQUAL(memcmp(one, three, (size_t)4 * 3600 * sizeof *one), 0);
    free(one);
    free(three);
}

PML_TESTS("runtime/ops/attention_backward", PML_TEST(matches_differences_along_any_axis),
          PML_TEST(matches_differences_of_wide_heads), PML_TEST(matches_differences_with_masks_and_dropout),
          PML_TEST(matches_differences_of_ragged_batches), PML_TEST(gradients_flow_through_handed_scores),
          PML_TEST(masks_have_no_gradient), PML_TEST(threads_do_not_matter))
