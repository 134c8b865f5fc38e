#include "tests/runtime/ops/gradient_test.h"

/* y = (a + b) - a, then turned, then + a's other view: a is read three times, b once. */
static pml_status several_reads(pml_tensor *leaves, void *user, pml_tensor *y) {
    (void)user;
    pml_status status = PML_OK;
    pml_tensor sum, less, turned, view = leaves[0];
    PML_TRY(pml_op_add(&context, &leaves[0], &leaves[1], &sum, &error));
    PML_TRY(pml_op_subtract(&context, &sum, &sum, &less, &error));
    PML_TRY(pml_op_add(&context, &less, &sum, &sum, &error));
    PML_TRY(pml_op_transpose(&context, &sum, &turned, &error));
    view.rank = 2;
    view.shape[0] = leaves[0].shape[1];
    view.shape[1] = leaves[0].shape[0];
    PML_TRY(pml_op_add(&context, &turned, &view, y, &error));

done:
    return status;
}

static void gradients_of_all_uses_add_up(void) {
    begin_test(1 << 16);
    pml_tensor leaves[] = {make_tensor(SHAPE(3, 4)), make_tensor(SHAPE(4))};
    check_gradients(several_reads, leaves, 2, NULL);
    end_test();
}

/* Rows of a result that are read as tensors of their own. */
static pml_status reads_rows(pml_tensor *leaves, void *user, pml_tensor *y) {
    (void)user;
    pml_status status = PML_OK;
    pml_tensor sum, first, last;
    PML_TRY(pml_op_add(&context, &leaves[0], &leaves[1], &sum, &error));
    first = last = sum;
    first.shape[0] = last.shape[0] = 1;
    last.offset_bytes += 2 * 4 * sizeof(float);
    PML_TRY(pml_op_subtract(&context, &first, &last, y, &error));

done:
    return status;
}

static void parts_of_a_result_have_their_part(void) {
    begin_test(1 << 16);
    pml_tensor leaves[] = {make_tensor(SHAPE(3, 4)), make_tensor(SHAPE(4))};
    check_gradients(reads_rows, leaves, 2, NULL);
    end_test();
}

typedef struct order {
    size_t leaves[4], count;
} order;

static void note(void *user, size_t i_leaf) {
    order *seen = user;
    seen->leaves[seen->count++] = i_leaf;
}

static void leaves_are_done_as_early_as_can_be(void) {
    begin_test(1 << 16);
    pml_tape tape = {0};
    pml_gradients *gradients = NULL;
    pml_tensor x = make_tensor(SHAPE(2, 3)), early = make_tensor(SHAPE(3)), late = make_tensor(SHAPE(3)), h, y;
    float d[3][6] = {{0}}, c[6] = {1, 1, 1, 1, 1, 1};
    context.tape = &tape;
    PML_ASSERT_OK(pml_gradients_create(&gradients, &error), &error);
    PML_ASSERT_OK(pml_op_add(&context, &x, &early, &h, &error), &error);
    PML_ASSERT_OK(pml_op_add(&context, &h, &late, &y, &error), &error);
    const pml_leaf leaves[] = {{pml_tensor_f32(&early), d[0], 3}, {pml_tensor_f32(&late), d[1], 3}, {d[2], d[2], 6}};
    order seen = {0};
    const pml_gradient_seed seed = {&y, c};
    pml_gradients_pass pass = {
        .leaves = leaves, .n_leaves = 3, .seeds = &seed, .n_seeds = 1, .done = note, .user = &seen};
    PML_ASSERT_OK(pml_gradients_run(gradients, &context, &pass, &error), &error);
    CU_ASSERT_EQUAL_FATAL(seen.count, 3);
    CU_ASSERT_EQUAL(seen.leaves[0], 2); /* nothing reads it */
    CU_ASSERT_EQUAL(seen.leaves[1], 1);
    CU_ASSERT_EQUAL(seen.leaves[2], 0);
    CU_ASSERT_EQUAL(d[0][1], 2);
    const pml_gradient_seed foreign = {&x, c};
    pass.seeds = &foreign;
    PML_ASSERT_FAILS(pml_gradients_run(gradients, &context, &pass, &error), PML_E_ARGUMENT, &error, "no recorded op");
    context.tape = NULL;
    pml_gradients_destroy(gradients);
    pml_tape_deinit(&tape);
    end_test();
}

static void an_op_without_gradient_is_named(void) {
    begin_test(1 << 16);
    static const pml_op op = {.name = "guess"};
    pml_tape tape = {0};
    pml_gradients *gradients = NULL;
    pml_tensor x = make_tensor(SHAPE(3)), y = make_tensor(SHAPE(3));
    float d[3] = {0}, c[3] = {0};
    context.tape = &tape;
    PML_ASSERT_OK(pml_gradients_create(&gradients, &error), &error);
    PML_ASSERT_OK(pml_tape_record(&tape, &op, NULL, (const pml_tensor *const[]){&x}, 1, &y, &error), &error);
    const pml_leaf leaf = {pml_tensor_f32(&x), d, 3};
    const pml_gradient_seed seed = {&y, c};
    pml_gradients_pass pass = {.leaves = &leaf, .n_leaves = 1, .seeds = &seed, .n_seeds = 1};
    PML_ASSERT_FAILS(pml_gradients_run(gradients, &context, &pass, &error), PML_E_UNSUPPORTED, &error, "'guess'");
    pass.n_leaves = 0; /* then nobody asks */
    PML_ASSERT_OK(pml_gradients_run(gradients, &context, &pass, &error), &error);
    context.tape = NULL;
    pml_gradients_destroy(gradients);
    pml_tape_deinit(&tape);
    end_test();
}

static void seeds_of_one_result_add_up(void) {
    begin_test(1 << 16);
    pml_tape tape = {0};
    pml_gradients *gradients = NULL;
    PML_ASSERT_OK(pml_gradients_create(&gradients, &error), &error);
    pml_tensor x = make_tensor(SHAPE(2, 3)), y;
    const float first[] = {1, 2, 3, 4, 5, 6}, second[] = {10, 20, 30};
    float gradient[6] = {0};
    context.tape = &tape;
    PML_ASSERT_OK(pml_op_affine(&context, &x, 2, 0, &y, &error), &error);
    pml_tensor last = y; /* its second row */
    last.shape[0] = 1;
    last.offset_bytes += 3 * sizeof(float);
    const pml_leaf leaf = {pml_tensor_f32(&x), gradient, 6};
    const pml_gradient_seed seeds[] = {{&y, first}, {&last, second}};
    const pml_gradients_pass pass = {.leaves = &leaf, .n_leaves = 1, .seeds = seeds, .n_seeds = 2};
    PML_ASSERT_OK(pml_gradients_run(gradients, &context, &pass, &error), &error);
    for (size_t i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(gradient[i], 2 * (first[i] + (i < 3 ? 0 : second[i - 3])));
        CU_ASSERT_EQUAL(first[i], (float)(i + 1)); /* a seed is not written to */
    }
    context.tape = NULL;
    pml_gradients_destroy(gradients);
    pml_tape_deinit(&tape);
    end_test();
}

/* A seed whose tensor two ops made halves of. */
static void a_seed_may_be_of_several_results(void) {
    begin_test(1 << 16);
    pml_tape tape = {0};
    pml_gradients *gradients = NULL;
    PML_ASSERT_OK(pml_gradients_create(&gradients, &error), &error);
    pml_tensor x = make_tensor(SHAPE(3)), y = make_tensor(SHAPE(2, 3)), half = y;
    const float seed_values[] = {1, 2, 3, 40, 50, 60};
    float gradient[3] = {0};
    context.tape = &tape;
    half.shape[0] = 1;
    PML_ASSERT_OK(pml_op_store(&context, &x, &half, &error), &error);
    half.offset_bytes += 3 * sizeof(float);
    PML_ASSERT_OK(pml_op_store(&context, &x, &half, &error), &error);
    const pml_leaf leaf = {pml_tensor_f32(&x), gradient, 3};
    const pml_gradient_seed seed = {&y, seed_values};
    const pml_gradients_pass pass = {.leaves = &leaf, .n_leaves = 1, .seeds = &seed, .n_seeds = 1};
    PML_ASSERT_OK(pml_gradients_run(gradients, &context, &pass, &error), &error);
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(gradient[i], seed_values[i] + seed_values[i + 3]);
    }
    context.tape = NULL;
    pml_gradients_destroy(gradients);
    pml_tape_deinit(&tape);
    end_test();
}

PML_TESTS("runtime/ops/gradient", PML_TEST(seeds_of_one_result_add_up), PML_TEST(a_seed_may_be_of_several_results),
          PML_TEST(gradients_of_all_uses_add_up), PML_TEST(parts_of_a_result_have_their_part),
          PML_TEST(leaves_are_done_as_early_as_can_be), PML_TEST(an_op_without_gradient_is_named))
