#include "tests/runtime/ops/gradient_test.h"

static pml_training training;

static void is_its_operand_outside_of_training(void) {
    begin_test(1 << 16);
    training = (pml_training){0};
    pml_tensor x = make_tensor(SHAPE(3, 5)), y;
    PML_ASSERT_OK(pml_op_dropout(&context, &x, 0.5, &y, &error), &error);
    CU_ASSERT_EQUAL(pml_tensor_f32(&y), pml_tensor_f32(&x));
    context.training = &training;
    PML_ASSERT_OK(pml_op_dropout(&context, &x, 0, &y, &error), &error);
    CU_ASSERT_EQUAL(pml_tensor_f32(&y), pml_tensor_f32(&x));
    CU_ASSERT_EQUAL(training.n_dropouts, 0);
    PML_ASSERT_FAILS(pml_op_dropout(&context, &x, 1.5, &y, &error), PML_E_ARGUMENT, &error, "dropout");
    end_test();
}

/* The elements that one dropout of 1000 ones leaves. */
static void drop(uint64_t seed, uint64_t step, uint64_t number, size_t n_threads, bool *kept) {
    begin_test(1 << 16);
    PML_ASSERT_OK(pml_context_threads_set(&context, n_threads, &error), &error);
    context.share_cost = 1;
    training = (pml_training){.seed = seed, .step = step, .n_dropouts = number};
    context.training = &training;
    pml_tensor x = make_tensor(SHAPE(1000));
    for (size_t i = 0; i < 1000; i++) {
        pml_tensor_f32(&x)[i] = 1;
    }
    PML_ASSERT_OK(pml_op_dropout(&context, &x, 0.25, &x, &error), &error);
    CU_ASSERT_EQUAL(training.n_dropouts, number + 1);
    for (size_t i = 0; i < 1000; i++) {
        kept[i] = pml_tensor_f32(&x)[i] != 0;
        CU_ASSERT_TRUE(!kept[i] || pml_tensor_f32(&x)[i] == 1 / 0.75F);
    }
    end_test();
}

static void masks_depend_on_seed_step_and_number_alone(void) {
    bool first[1000], other[1000];
    drop(1, 2, 3, 1, first);
    drop(1, 2, 3, 3, other);
    CU_ASSERT_EQUAL(memcmp(first, other, sizeof first), 0);
    drop(2, 2, 3, 1, other);
    CU_ASSERT_NOT_EQUAL(memcmp(first, other, sizeof first), 0);
    drop(1, 3, 3, 1, other);
    CU_ASSERT_NOT_EQUAL(memcmp(first, other, sizeof first), 0);
    drop(1, 2, 4, 1, other);
    CU_ASSERT_NOT_EQUAL(memcmp(first, other, sizeof first), 0);
}

/* The same mask in every call; x is read twice, so that gradients add up. */
static pml_status build(pml_tensor *leaves, void *user, pml_tensor *y) {
    pml_tensor dropped;
    (void)user;
    training = (pml_training){.seed = 9, .step = 4};
    context.training = &training;
    const pml_status status = pml_op_dropout(&context, &leaves[0], 0.4, &dropped, &error);
    return status != PML_OK ? status : pml_op_add(&context, &dropped, &leaves[0], y, &error);
}

static pml_status build_once(pml_tensor *leaves, void *user, pml_tensor *y) {
    (void)user;
    training = (pml_training){.seed = 9, .step = 4};
    context.training = &training;
    pml_tensor between;
    const pml_status status = pml_op_affine(&context, &leaves[0], 2, 0, &between, &error);
    return status != PML_OK ? status : pml_op_dropout(&context, &between, 0.4, y, &error);
}

static void gradients_pass_where_values_do(void) {
    begin_test(1 << 20);
    pml_tensor x = make_tensor(SHAPE(5, 31));
    check_gradients(build, &x, 1, NULL);
    check_gradients(build_once, &x, 1, NULL);
    end_test();
}

PML_TESTS("runtime/ops/dropout", PML_TEST(is_its_operand_outside_of_training),
          PML_TEST(masks_depend_on_seed_step_and_number_alone), PML_TEST(gradients_pass_where_values_do))
