#include "runtime/ops/score.h"

#include "tests/runtime/ops/gradient_test.h"

enum { N_ROWS = 300, N_IN = 2, WIDTH = 20000, FIRST_SLOT = 5 }; /* more than one chunk */

static double taken;
static size_t n_seen;

static bool counts_odd(void *user, size_t slot) {
    (void)user;
    return slot % 2 == 1;
}

static bool counts_none(void *user, size_t slot) {
    (void)user;
    (void)slot;
    return false;
}

/* The loss is half the sum of slot * score^2. */
static pml_status take(void *user, pml_context *at, size_t first_slot, const float *slots, size_t n, size_t width,
                       float *scores, bool differentiate, pml_error *e) {
    (void)at;
    (void)e;
    CU_ASSERT_PTR_EQUAL(user, &taken);
    for (size_t i = 0; i < n; i++) {
        const float slot = (float)first_slot + slots[i];
        for (size_t k = 0; k < width; k++) {
            float *score = &scores[i * width + k];
            taken += 0.5 * (double)(slot * *score * *score);
            *score = differentiate ? slot * *score : *score;
        }
    }
    n_seen += n;
    return PML_OK;
}

typedef struct result {
    float dx[N_ROWS * N_IN], dw[N_IN * WIDTH], dbias[WIDTH];
} result;

static void go_back(pml_tensor *leaves, const pml_tensor *y, const float *seed_gradient, result *to) {
    float *const gradients[] = {to->dx, to->dw, to->dbias};
    pml_leaf list[3];
    pml_gradients *pass = NULL;
    *to = (result){0};
    for (size_t i = 0; i < 3; i++) {
        list[i] = (pml_leaf){pml_tensor_f32(&leaves[i]), gradients[i], pml_tensor_count(&leaves[i])};
    }
    const pml_gradient_seed seed = {y, seed_gradient};
    PML_ASSERT_OK(pml_gradients_create(&pass, &error), &error);
    PML_ASSERT_OK(pml_gradients_run(pass, &context,
                                    &(pml_gradients_pass){.leaves = list, .n_leaves = 3, .seeds = &seed, .n_seeds = 1},
                                    &error),
                  &error);
    pml_gradients_destroy(pass);
}

static void compare(const float *a, const float *b, size_t n) {
    double worst = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        most = fmax(most, fabs((double)b[i]));
    }
    CU_ASSERT_TRUE(most > 0);
    CU_ASSERT_TRUE(worst <= 1e-5 * most);
}

/* The same as a product whose result is kept, and its derivatives as seeds. */
static void chunks_are_as_all_at_once(void) {
    static result found, expected;
    const float one = 1;
    pml_tape tape = {0};
    begin_test((size_t)1 << 26);
    pml_score_taker taker = {.counts = counts_odd, .take = take, .user = &taken};
    pml_tensor leaves[] = {make_tensor(SHAPE(N_ROWS, N_IN)), make_tensor(SHAPE(N_IN, WIDTH)),
                           make_tensor(SHAPE(WIDTH))};
    pml_tensor slots = make_tensor(SHAPE(N_ROWS)), y, kept;
    for (size_t i = 0; i < N_ROWS; i++) {
        pml_tensor_f32(&slots)[i] = (float)(2 * i);
    }
    context.taker = &taker;
    taken = 0;
    n_seen = 0;
    PML_ASSERT_OK(pml_op_score(&context, &leaves[0], &leaves[1], &leaves[2], &slots, FIRST_SLOT, &y, &error), &error);
    const double at_once = taken;
    CU_ASSERT_EQUAL(n_seen, N_ROWS);
    CU_ASSERT_TRUE(taker.is_used);
    context.tape = &tape;
    taken = 0;
    PML_ASSERT_OK(pml_op_score(&context, &leaves[0], &leaves[1], &leaves[2], &slots, FIRST_SLOT, &y, &error), &error);
    CU_ASSERT_EQUAL(taken, 0); /* not before the backward pass */
    go_back(leaves, &y, &one, &found);
    CU_ASSERT_EQUAL(taken, at_once);
    pml_tape_clear(&tape);
    PML_ASSERT_OK(
        pml_op_linear(&context, &leaves[0], &leaves[1], &leaves[2], PML_ACTIVATION_IDENTITY, NULL, &kept, &error),
        &error);
    float *seed = pml_tensor_f32(&kept);
    taken = 0;
    (void)take(&taken, &context, FIRST_SLOT, pml_tensor_f32(&slots), N_ROWS, WIDTH, seed, true, &error);
    CU_ASSERT_DOUBLE_EQUAL(taken, at_once, 1e-6 * at_once);
    go_back(leaves, &kept, seed, &expected);
    compare(found.dx, expected.dx, N_ROWS * N_IN);
    compare(found.dw, expected.dw, N_IN * WIDTH);
    compare(found.dbias, expected.dbias, WIDTH);
    context.tape = NULL;
    context.taker = NULL;
    pml_tape_deinit(&tape);
    end_test();
}

static void rows_that_count_are_picked(void) {
    begin_test(1 << 12);
    pml_score_taker taker = {.counts = counts_odd, .user = &taken};
    pml_tensor h = make_tensor(SHAPE(4, 3)), slots = make_tensor(SHAPE(4)), rows, row_slots;
    static const float at[] = {0, 1, 2, 5};
    memcpy(pml_tensor_f32(&slots), at, sizeof at);
    context.taker = &taker;
    PML_ASSERT_OK(pml_score_pick(&context, &h, &slots, 10, &rows, &row_slots, &error), &error);
    CU_ASSERT_EQUAL(pml_tensor_rows(&rows), 2);
    CU_ASSERT_TRUE(equals(&row_slots, (const float[]){1, 5}, 0));
    CU_ASSERT_EQUAL(memcmp(pml_tensor_f32(&rows), pml_tensor_f32(&h) + 3, 3 * sizeof(float)), 0);
    CU_ASSERT_EQUAL(memcmp(pml_tensor_f32(&rows) + 3, pml_tensor_f32(&h) + 9, 3 * sizeof(float)), 0);
    taker.counts = counts_none; /* an op of no rows would give no loss */
    PML_ASSERT_OK(pml_score_pick(&context, &h, &slots, 10, &rows, &row_slots, &error), &error);
    CU_ASSERT_EQUAL(pml_tensor_rows(&rows), 1);
    context.taker = NULL;
    pml_tensor w = make_tensor(SHAPE(3, 2)), y;
    PML_ASSERT_FAILS(pml_op_score(&context, &h, &w, NULL, &slots, 0, &y, &error), PML_E_ARGUMENT, &error, "score");
    end_test();
}

PML_TESTS("runtime/ops/score", PML_TEST(chunks_are_as_all_at_once), PML_TEST(rows_that_count_are_picked))
