#include "tests/runtime/ops/gradient_test.h"

static void layer_norm_uses_each_row(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 3, 5)), y;
    pml_norm norm = {
        .kind = PML_NORM_LAYER, .eps = 1e-2, .weight = make_tensor(SHAPE(5)), .bias = make_tensor(SHAPE(5))};
    PML_ASSERT_OK(pml_op_norm(&context, &x, &norm, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 3, 5)));
    for (size_t row = 0; row < 6; row++) {
        const float *values = pml_tensor_f32(&x) + row * 5;
        double mean = 0, variance = 0;
        for (size_t k = 0; k < 5; k++) {
            mean += (double)values[k] / 5;
        }
        for (size_t k = 0; k < 5; k++) {
            variance += ((double)values[k] - mean) * ((double)values[k] - mean) / 5;
        }
        for (size_t k = 0; k < 5; k++) {
            double wanted =
                ((double)values[k] - mean) / sqrt(variance + 1e-2) * (double)pml_tensor_f32(&norm.weight)[k] +
                (double)pml_tensor_f32(&norm.bias)[k];
            CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[row * 5 + k], wanted, 1e-6));
        }
    }
    end_test();
}

static void layer_norm_without_bias_adds_none(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(3, 5)), zero = make_tensor(SHAPE(5)), y, without;
    memset(pml_tensor_f32(&zero), 0, 5 * sizeof(float));
    pml_norm norm = {.kind = PML_NORM_LAYER, .eps = 1e-5, .weight = make_tensor(SHAPE(5)), .bias = zero};
    PML_ASSERT_OK(pml_op_norm(&context, &x, &norm, &y, &error), &error);
    norm.bias = (pml_tensor){0};
    PML_ASSERT_OK(pml_op_norm(&context, &x, &norm, &without, &error), &error);
    CU_ASSERT_TRUE(equals(&without, pml_tensor_f32(&y), 0));
    end_test();
}

static void batch_norm_uses_given_statistics(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(4, 3)), y;
    const float variances[] = {0.5F, 2.0F, 1e-6F};
    pml_norm norm = {.kind = PML_NORM_BATCH,
                     .eps = 1e-5,
                     .weight = make_tensor(SHAPE(3)),
                     .bias = make_tensor(SHAPE(3)),
                     .mean = make_tensor(SHAPE(3)),
                     .variance = make_values(variances, SHAPE(3))};
    PML_ASSERT_OK(pml_op_norm(&context, &x, &norm, &y, &error), &error);
    for (size_t i = 0; i < 12; i++) {
        size_t k = i % 3;
        double wanted = ((double)pml_tensor_f32(&x)[i] - (double)pml_tensor_f32(&norm.mean)[k]) /
                            sqrt((double)variances[k] + 1e-5) * (double)pml_tensor_f32(&norm.weight)[k] +
                        (double)pml_tensor_f32(&norm.bias)[k];
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[i], wanted, 1e-6));
    }
    end_test();
}

static void refuses_vectors_of_another_size(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(4, 3)), y;
    pml_norm norm = {.kind = PML_NORM_LAYER, .weight = make_tensor(SHAPE(4)), .bias = make_tensor(SHAPE(3))};
    PML_ASSERT_FAILS(pml_op_norm(&context, &x, &norm, &y, &error), PML_E_ARGUMENT, &error, "weight and bias");
    norm.weight = norm.bias;
    norm.kind = PML_NORM_BATCH;
    PML_ASSERT_FAILS(pml_op_norm(&context, &x, &norm, &y, &error), PML_E_ARGUMENT, &error, "mean and variance");
    end_test();
}

/* leaves: x, weight, bias; `user` has the rest */
static pml_status build(pml_tensor *leaves, void *user, pml_tensor *y) {
    pml_norm norm = *(const pml_norm *)user;
    norm.weight = leaves[1];
    if (norm.bias.dtype != PML_DTYPE_NONE) {
        norm.bias = leaves[2];
    }
    return pml_op_norm(&context, &leaves[0], &norm, y, &error);
}

static void gradients_of_layer_norm(void) {
    begin_test(1 << 20);
    pml_tensor leaves[] = {make_tensor(SHAPE(2, 3, 19)), make_tensor(SHAPE(19)), make_tensor(SHAPE(19))};
    pml_norm norm = {.kind = PML_NORM_LAYER, .eps = 1e-2, .bias = leaves[2]};
    check_gradients(build, leaves, 3, &norm);
    norm.bias = (pml_tensor){0};
    check_gradients(build, leaves, 2, &norm);
    end_test();
}

static void gradients_of_batch_norm(void) {
    begin_test(1 << 20);
    pml_training training = {.is_again = true};
    const float variances[] = {0.5F, 2.0F, 0.1F};
    pml_tensor leaves[] = {make_tensor(SHAPE(4, 3, 3)), make_tensor(SHAPE(3)), make_tensor(SHAPE(3))};
    pml_norm norm = {.kind = PML_NORM_BATCH,
                     .eps = 1e-5,
                     .bias = leaves[2],
                     .mean = make_tensor(SHAPE(3)),
                     .variance = make_values(variances, SHAPE(3))};
    check_gradients(build, leaves, 3, &norm);
    context.training = &training;
    check_gradients(build, leaves, 3, &norm);
    CU_ASSERT_EQUAL(pml_tensor_f32(&norm.variance)[0], 0.5F); /* computed again: nothing moves */
    end_test();
}

static void training_uses_and_keeps_the_batch_s_statistics(void) {
    begin_test(1 << 16);
    pml_training training = {0};
    pml_tensor x = make_tensor(SHAPE(150, 3)), one = make_tensor(SHAPE(1, 3)), y;
    pml_norm norm = {.kind = PML_NORM_BATCH,
                     .eps = 1e-5,
                     .weight = make_tensor(SHAPE(3)),
                     .bias = make_tensor(SHAPE(3)),
                     .mean = make_tensor(SHAPE(3)),
                     .variance = make_tensor(SHAPE(3))};
    float old[6];
    memcpy(old, pml_tensor_f32(&norm.mean), 3 * sizeof *old);
    memcpy(old + 3, pml_tensor_f32(&norm.variance), 3 * sizeof *old);
    for (size_t r = 0; r < 150; r++) {
        pml_tensor_f32(&x)[3 * r + 1] += 5000; /* far from 0 */
    }
    context.training = &training;
    PML_ASSERT_OK(pml_op_norm(&context, &x, &norm, &y, &error), &error);
    for (size_t c = 0; c < 3; c++) {
        double mean = 0, squares = 0;
        for (size_t r = 0; r < 150; r++) {
            mean += (double)pml_tensor_f32(&x)[3 * r + c] / 150;
        }
        for (size_t r = 0; r < 150; r++) {
            squares += pow((double)pml_tensor_f32(&x)[3 * r + c] - mean, 2);
        }
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&norm.mean)[c], 0.9 * (double)old[c] + 0.1 * mean, 1e-6));
        CU_ASSERT_TRUE(
            is_near((double)pml_tensor_f32(&norm.variance)[c], 0.9 * (double)old[3 + c] + 0.1 * squares / 149, 1e-6));
        const double wanted = ((double)pml_tensor_f32(&x)[30 + c] - mean) / sqrt(squares / 150 + 1e-5) *
                                  (double)pml_tensor_f32(&norm.weight)[c] +
                              (double)pml_tensor_f32(&norm.bias)[c];
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[30 + c], wanted, c == 1 ? 1e-3 : 1e-5));
    }
    PML_ASSERT_FAILS(pml_op_norm(&context, &one, &norm, &y, &error), PML_E_ARGUMENT, &error, "more than one row");
    end_test();
}

/* Another process with rows of its own: what it adds to the sums of a forward pass over 3 columns. */
typedef struct other_process {
    const float *rows; /* [n_rows][3] */
    size_t n_rows, n_calls;
    double means[3]; /* of both */
} other_process;

static void add_other(void *user, double *values, size_t count) {
    other_process *other = user;
    const double n = (double)other->n_rows;
    CU_ASSERT_EQUAL_FATAL(count, other->n_calls == 0 ? 4 : 3);
    for (size_t c = 0; c < 3; c++) {
        for (size_t r = 0; r < other->n_rows; r++) {
            const double x = (double)other->rows[3 * r + c];
            values[c + (other->n_calls == 0)] += other->n_calls == 0 ? x : pow(x - other->means[c], 2);
        }
    }
    if (other->n_calls++ == 0) {
        values[0] += n;
        for (size_t c = 0; c < 3; c++) {
            other->means[c] = values[1 + c] / values[0];
        }
    }
}

/* 9 of 14 rows here, or none of them that count: as one process with all. */
static void statistics_are_those_of_all_processes(void) {
    begin_test(1 << 16);
    pml_tensor all = make_tensor(SHAPE(14, 3)), here = make_tensor(SHAPE(9, 3)), whole, y;
    pml_norm norm = {
        .kind = PML_NORM_BATCH, .eps = 1e-5, .weight = make_tensor(SHAPE(3)), .bias = make_tensor(SHAPE(3))};
    pml_tensor running[4];
    for (size_t i = 0; i < 4; i++) {
        running[i] = make_tensor(SHAPE(3));
        memset(pml_tensor_f32(&running[i]), 0, 3 * sizeof(float));
    }
    pml_training alone = {0};
    context.training = &alone;
    norm.mean = running[0];
    norm.variance = running[1];
    PML_ASSERT_OK(pml_op_norm(&context, &all, &norm, &whole, &error), &error);
    memcpy(pml_tensor_f32(&here), pml_tensor_f32(&all), 27 * sizeof(float));
    for (int is_silent = 0; is_silent < 2; is_silent++) {
        other_process other = {.rows = pml_tensor_f32(&all) + (is_silent ? 0 : 27), .n_rows = is_silent ? 14 : 5};
        pml_training shared = {.sum = add_other, .sum_user = &other, .is_silent = is_silent != 0};
        context.training = &shared;
        norm.mean = running[2];
        norm.variance = running[3];
        memset(pml_tensor_f32(&running[2]), 0, 3 * sizeof(float));
        memset(pml_tensor_f32(&running[3]), 0, 3 * sizeof(float));
        PML_ASSERT_OK(pml_op_norm(&context, &here, &norm, &y, &error), &error);
        CU_ASSERT_EQUAL(other.n_calls, 2);
        for (size_t c = 0; c < 3; c++) {
            for (size_t i = 0; i < 2; i++) {
                CU_ASSERT_TRUE(
                    is_near((double)pml_tensor_f32(&running[2 + i])[c], (double)pml_tensor_f32(&running[i])[c], 1e-6));
            }
        }
        for (size_t i = 0; i < 27; i++) {
            CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[i], (double)pml_tensor_f32(&whole)[i], 1e-5));
        }
    }
    end_test();
}

/* The gradients of x, weight and bias, one behind the other, of a norm that several parts and threads share. */
static void run_large(pml_norm_kind kind, size_t n_threads, float *all) {
    begin_test(1 << 20);
    PML_ASSERT_OK(pml_context_threads_set(&context, n_threads, &error), &error);
    context.share_cost = 1;
    pml_tape tape = {0};
    pml_training training = {0};
    pml_gradients *gradients = NULL;
    PML_ASSERT_OK(pml_gradients_create(&gradients, &error), &error);
    pml_tensor x = make_tensor(SHAPE(500, 17)), y;
    pml_norm norm = {.kind = kind,
                     .eps = 1e-5,
                     .weight = make_tensor(SHAPE(17)),
                     .bias = make_tensor(SHAPE(17)),
                     .mean = make_tensor(SHAPE(17)),
                     .variance = make_tensor(SHAPE(17))};
    context.tape = &tape;
    context.training = &training;
    PML_ASSERT_OK(pml_op_norm(&context, &x, &norm, &y, &error), &error);
    float *c = weights(500 * 17);
    memset(all, 0, 502 * 17 * sizeof *all);
    const pml_leaf leaves[] = {{pml_tensor_f32(&x), all, 500 * 17},
                               {pml_tensor_f32(&norm.weight), all + 500 * 17, 17},
                               {pml_tensor_f32(&norm.bias), all + 501 * 17, 17}};
    const pml_gradient_seed seed = {&y, c};
    const pml_gradients_pass pass = {.leaves = leaves, .n_leaves = 3, .seeds = &seed, .n_seeds = 1};
    PML_ASSERT_OK(pml_gradients_run(gradients, &context, &pass, &error), &error);
    context.tape = NULL;
    free(c);
    pml_gradients_destroy(gradients);
    pml_tape_deinit(&tape);
    end_test();
}

static void threads_do_not_matter(void) {
    float *one = malloc(502 * 17 * sizeof *one), *three = malloc(502 * 17 * sizeof *three);
    for (int kind = 0; kind < 2; kind++) {
        run_large(kind == 0 ? PML_NORM_LAYER : PML_NORM_BATCH, 1, one);
        run_large(kind == 0 ? PML_NORM_LAYER : PML_NORM_BATCH, 3, three);
        CU_ASSERT_EQUAL(memcmp(one, three, 502 * 17 * sizeof *one), 0);
    }
    free(one);
    free(three);
}

PML_TESTS("runtime/ops/norm", PML_TEST(gradients_of_layer_norm), PML_TEST(gradients_of_batch_norm),
          PML_TEST(training_uses_and_keeps_the_batch_s_statistics), PML_TEST(statistics_are_those_of_all_processes),
          PML_TEST(threads_do_not_matter), PML_TEST(layer_norm_uses_each_row),
          PML_TEST(layer_norm_without_bias_adds_none), PML_TEST(batch_norm_uses_given_statistics),
          PML_TEST(refuses_vectors_of_another_size))
