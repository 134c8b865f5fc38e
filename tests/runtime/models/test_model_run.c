#include "runtime/models/model_private.h"
#include "tests/runtime/models/patchtst_builder.h"

enum { B = 40 };

static float values[B * T * C], observed[B * T * C];

static pml_array mask_of(size_t n_samples) {
    pml_array array = series(observed, n_samples);
    array.name = "past_observed_mask";
    return array;
}

static void fill(void) {
    fill_series(values, B);
    for (size_t i = 0; i < B * T * C; i++) {
        observed[i] = i / C / T == 3 ? 0 : (float)(i % 5 != 0); /* sample 3 is missing altogether */
    }
}

static float *copy_output(const pml_model *model, const char *name, size_t count) {
    float *copy;
    PML_ASSERT_OK(pml_alloc(count, sizeof *copy, &copy, &error), &error);
    memcpy(copy, pml_model_output(model, name)->data, count * sizeof *copy);
    return copy;
}

/* The same batch in blocks of any size must give the same bits, statistics over the batch included. */
static void splitting_the_batch_changes_no_bit(void) {
    fill();
    const build builds[] = {{0}, {.scaling = "mean", .channel_attention = true}, {.separate_projection = true}};
    for (size_t i = 0; i < sizeof builds / sizeof builds[0]; i++) {
        opened o = open_model(&builds[i], "cpu");
        const pml_array inputs[] = {series(values, B), mask_of(B)};
        PML_ASSERT_OK(pml_model_run(o.model, inputs, 2, &error), &error);
        float *whole = copy_output(o.model, "prediction_outputs", B * S * C);
        const size_t blocks[] = {1, 3, 7, B};
        for (size_t k = 0; k < 4; k++) {
            o.model->plan.block = blocks[k];
            PML_ASSERT_OK(pml_model_run(o.model, inputs, 2, &error), &error);
            CU_ASSERT_EQUAL(
                memcmp(whole, pml_model_output(o.model, "prediction_outputs")->data, B * S * C * sizeof *whole), 0);
        }
        pml_free(whole);
        close_model(&o);
    }
}

static void a_sample_alone_gives_the_bits_it_gives_in_a_batch(void) {
    fill();
    opened o = open_model(&(build){0}, "cpu");
    PML_ASSERT_OK(pml_model_run(o.model, (const pml_array[]){series(values, B)}, 1, &error), &error);
    float *whole = copy_output(o.model, "prediction_outputs", B * S * C);
    for (size_t i = 0; i < B; i += 13) {
        PML_ASSERT_OK(pml_model_run(o.model, (const pml_array[]){series(values + i * T * C, 1)}, 1, &error), &error);
        CU_ASSERT_EQUAL(
            memcmp(whole + i * S * C, pml_model_output(o.model, "prediction_outputs")->data, S * C * sizeof *whole), 0);
    }
    pml_free(whole);
    close_model(&o);
}

static void every_layout_and_backend_agrees(void) {
    fill();
    opened o = open_model(&(build){0}, NULL);
    PML_ASSERT_OK(pml_model_run(o.model, (const pml_array[]){series(values, B)}, 1, &error), &error);
    const float *first = pml_model_output(o.model, "prediction_outputs")->data;
    for (size_t i = 0; pml_backend_at(i) != NULL; i++) {
        for (int is_row = 0; is_row < 2; is_row++) {
            if (pml_backend_check(pml_backend_at(i), NULL) != PML_OK) {
                continue;
            }
            opened other = open_model(&(build){.is_row = is_row != 0}, pml_backend_at(i));
            PML_ASSERT_OK(pml_model_run(other.model, (const pml_array[]){series(values, B)}, 1, &error), &error);
            const float *again = pml_model_output(other.model, "prediction_outputs")->data;
            double worst = 0;
            for (size_t k = 0; k < B * S * C; k++) {
                worst = fmax(worst, fabs((double)first[k] - (double)again[k]));
            }
            CU_ASSERT_TRUE(worst < 1e-4);
            close_model(&other);
        }
    }
    close_model(&o);
}

static void allocates_nothing_after_the_first_step(void) {
    fill();
    const build builds[] = {{0},
                            {.channel_attention = true, .use_cls_token = true},
                            {.head = "none", .mask_input = true},
                            {.head = "pretraining", .mask_input = true, .use_cls_token = true},
                            {.head = "classification", .pooling = "max"},
                            {.head = "regression", .pooling = "mean", .has_range = true},
                            {.distribution = "student_t", .post_norm = true},
                            {.distribution = "negative_binomial"}};
    for (size_t i = 0; i < sizeof builds / sizeof builds[0]; i++) {
        opened o = open_model(&builds[i], NULL);
        static float hidden[B * C * N];
        const pml_array inputs[] = {
            series(values, B), mask_of(B), {.name = "mask", .data = hidden, .rank = 3, .shape = {B, C, N}}};
        /* A count's mean is exponential in its logits: without the mask they stay small. */
        size_t n_inputs = builds[i].mask_input ? 3 : builds[i].distribution != NULL ? 1 : 2;
        PML_ASSERT_OK(pml_model_run(o.model, inputs, n_inputs, &error), &error);
        const pml_context *context = pml_model_context(o.model);
        CU_ASSERT_EQUAL(context->workspace_missed_bytes, 0);                               /* the plan is a bound … */
        CU_ASSERT_TRUE(context->workspace_peak_bytes * 2 > context->workspace.size_bytes); /* … and not a wild one */
        CU_ASSERT_PTR_NULL(*(void *const *)context->step.blocks); /* one block, sized beforehand */
        uint64_t before = pml_allocation_count();
        PML_ASSERT_OK(pml_model_run(o.model, inputs, n_inputs, &error), &error);
        PML_ASSERT_OK(pml_model_run(o.model, inputs, n_inputs, &error), &error);
        CU_ASSERT_EQUAL(pml_allocation_count(), before);
        close_model(&o);
    }
}

static void runs_under_a_tape_give_the_same_bits(void) {
    fill();
    opened o = open_model(&(build){.channel_attention = true}, "cpu");
    PML_ASSERT_OK(pml_model_run(o.model, (const pml_array[]){series(values, B)}, 1, &error), &error);
    float *whole = copy_output(o.model, "prediction_outputs", B * S * C);
    pml_tape tape = {0};
    pml_model_context(o.model)->tape = &tape;
    for (int i = 0; i < 2; i++) {
        PML_ASSERT_OK(pml_model_run(o.model, (const pml_array[]){series(values, B)}, 1, &error), &error);
        CU_ASSERT_EQUAL(memcmp(whole, pml_model_output(o.model, "prediction_outputs")->data, B * S * C * sizeof *whole),
                        0);
    }
    /* statistics, normalize, patchify, embedding, tokens; per layer norm, q, k, v, attention, out twice and norm,
     * the feed-forward layer; the patches for whoever asks (swapped, stored); head, transpose, scaled and unscaled
     * output
     */
    CU_ASSERT_EQUAL(tape.count, 5 + 2 * 14 + 6);
    pml_model_context(o.model)->tape = NULL;
    pml_tape_deinit(&tape);
    pml_free(whole);
    close_model(&o);
}

static void refuses_wrong_inputs(void) {
    fill();
    opened o = open_model(&(build){0}, NULL);
    pml_array good = series(values, 2), bad;
    PML_ASSERT_FAILS(pml_model_run(o.model, NULL, 0, &error), PML_E_ARGUMENT, &error, "past_values");
    bad = good;
    bad.name = "future_values";
    PML_ASSERT_FAILS(pml_model_run(o.model, (const pml_array[]){good, bad}, 2, &error), PML_E_ARGUMENT, &error,
                     "future_values");
    bad.name = NULL;
    PML_ASSERT_FAILS(pml_model_run(o.model, &bad, 1, &error), PML_E_ARGUMENT, &error, "no input");
    PML_ASSERT_FAILS(pml_model_run(o.model, (const pml_array[]){good, good}, 2, &error), PML_E_ARGUMENT, &error,
                     "twice");
    bad = mask_of(3);
    PML_ASSERT_FAILS(pml_model_run(o.model, (const pml_array[]){good, bad}, 2, &error), PML_E_ARGUMENT, &error, "3");
    bad = good;
    bad.shape[1]--;
    PML_ASSERT_FAILS(pml_model_run(o.model, &bad, 1, &error), PML_E_ARGUMENT, &error, "axis 1");
    bad = good;
    bad.rank = 2;
    PML_ASSERT_FAILS(pml_model_run(o.model, &bad, 1, &error), PML_E_ARGUMENT, &error, "2 axes");
    bad = good;
    bad.shape[0] = 0;
    PML_ASSERT_FAILS(pml_model_run(o.model, &bad, 1, &error), PML_E_ARGUMENT, &error, "empty");
    bad = good;
    bad.data = NULL;
    PML_ASSERT_FAILS(pml_model_run(o.model, &bad, 1, &error), PML_E_ARGUMENT, &error, "empty");
    bad = good;
    bad.shape[0] = SIZE_MAX / 2;
    PML_ASSERT_FAILS(pml_model_run(o.model, &bad, 1, &error), PML_E_ARGUMENT, &error, "too large");
    close_model(&o);
}

static void numbers_that_are_not_finite_are_errors(void) {
    fill();
    opened o = open_model(&(build){0}, NULL);
    values[T * C + 17] = -INFINITY;
    PML_ASSERT_FAILS(pml_model_run(o.model, (const pml_array[]){series(values, 2)}, 1, &error), PML_E_NUMERIC, &error,
                     "element 107 of input 'past_values'");
    values[T * C + 17] = NAN;
    PML_ASSERT_FAILS(pml_model_run(o.model, (const pml_array[]){series(values, 2)}, 1, &error), PML_E_NUMERIC, &error,
                     "element 107");
    PML_ASSERT_OK(pml_model_run(o.model, (const pml_array[]){series(values, 1)}, 1, &error), &error);
    close_model(&o);
    o = open_model(&(build){.poison = "head.0.bias"}, NULL);
    PML_ASSERT_FAILS(pml_model_run(o.model, (const pml_array[]){series(values, 1)}, 1, &error), PML_E_NUMERIC, &error,
                     "prediction_outputs");
    CU_ASSERT_PTR_NULL(pml_model_output(o.model, "prediction_outputs")->data);
    close_model(&o);
}

/* The mean of a count overflows where its logits are large; what the network itself computes is not lost with it. */
static void a_derived_output_that_overflows_is_absent(void) {
    fill();
    opened o = open_model(&(build){.distribution = "negative_binomial", .enlarge = "head.1.bias"}, NULL);
    const pml_array *output;
    PML_ASSERT_OK(pml_model_run(o.model, (const pml_array[]){series(values, 2)}, 1, &error), &error);
    CU_ASSERT_PTR_NULL(pml_model_output(o.model, "forecast")->data);
    CU_ASSERT_PTR_NOT_NULL(pml_model_output(o.model, "dist_loc")->data);
    CU_ASSERT_TRUE(pml_model_output(o.model, "dist_scale")->data[0] > 900);
    PML_ASSERT_FAILS(pml_model_point_forecast(o.model, &output, &error), PML_E_NUMERIC, &error,
                     "element 0 of output 'forecast'");
    close_model(&o);
    o = open_model(&(build){.distribution = "negative_binomial", .poison = "head.1.bias"}, NULL);
    PML_ASSERT_FAILS(pml_model_run(o.model, (const pml_array[]){series(values, 2)}, 1, &error), PML_E_NUMERIC, &error,
                     "dist_scale");
    close_model(&o);
    o = open_model(&(build){.distribution = "negative_binomial"}, NULL);
    PML_ASSERT_OK(pml_model_run(o.model, (const pml_array[]){series(values, 2)}, 1, &error), &error);
    PML_ASSERT_OK(pml_model_point_forecast(o.model, &output, &error), &error);
    CU_ASSERT_PTR_EQUAL(output->data, pml_model_output(o.model, "forecast")->data);
    CU_ASSERT_PTR_NOT_NULL(output->data);
    close_model(&o);
}

static void survives_failing_allocations(void) {
    fill();
    for (unsigned long n = 1; n < 1000; n++) {
        opened o = open_model(&(build){0}, NULL);
        pml_test_fail_allocation(n, false);
        pml_status status = pml_model_run(o.model, (const pml_array[]){series(values, B)}, 1, &error);
        pml_test_fail_allocation(0, false);
        CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
        bool is_done = status == PML_OK;
        PML_ASSERT_OK(pml_model_run(o.model, (const pml_array[]){series(values, B)}, 1, &error), &error);
        close_model(&o);
        if (is_done) {
            CU_ASSERT_TRUE(n > 1);
            break;
        }
    }
}

PML_TESTS("runtime/models/model_run", PML_TEST(splitting_the_batch_changes_no_bit),
          PML_TEST(a_sample_alone_gives_the_bits_it_gives_in_a_batch), PML_TEST(every_layout_and_backend_agrees),
          PML_TEST(allocates_nothing_after_the_first_step), PML_TEST(runs_under_a_tape_give_the_same_bits),
          PML_TEST(refuses_wrong_inputs), PML_TEST(numbers_that_are_not_finite_are_errors),
          PML_TEST(a_derived_output_that_overflows_is_absent), PML_TEST(survives_failing_allocations))
