#include "tests/runtime/train/train_case.h"

static void losses_fall(void) {
    static const char *const optimizers[] = {"adam:lr=0.01", "sgd:lr=0.05,momentum=0.9", "adamw:lr=0.01"};
    for (size_t i = 0; i < 3; i++) {
        train_case c;
        open_case(&c, "patchtst", patchtst_settings, NULL, &(pml_trainer_options){.optimizer = optimizers[i]});
        const double first = one_step(&c);
        double last = first, validation = 0;
        for (int k = 0; k < 150; k++) {
            last = one_step(&c);
        }
        CU_ASSERT_TRUE(last < 0.5 * first);
        PML_ASSERT_OK(pml_trainer_evaluate(c.trainer, c.val, &validation, &error), &error);
        CU_ASSERT_TRUE(validation < 0.5 * first);
        close_case(&c, true);
    }
}

/* Two batches of a step give what their mean gives. */
static void accumulated_batches_make_one_step(void) {
    train_case whole, halves;
    open_case(&whole, "dlinear", dlinear_settings, NULL, &(pml_trainer_options){.optimizer = "sgd:lr=0.1"});
    open_case(&halves, NULL, NULL, whole.file, &(pml_trainer_options){.optimizer = "sgd:lr=0.1", .n_accumulate = 2});
    pml_loader_destroy(halves.train);
    pml_dataset_destroy(halves.data);
    pml_loader_destroy(halves.val);
    open_loaders(&halves, 4, 2);
    for (int k = 0; k < 3; k++) {
        CU_ASSERT_DOUBLE_EQUAL(one_step(&whole), one_step(&halves), 1e-6);
    }
    for (size_t i = 0; i < pml_model_n_parameters(whole.model); i++) {
        const pml_parameter *a = pml_model_parameter_at(whole.model, i), *b = pml_model_parameter_at(halves.model, i);
        for (size_t k = 0; k < a->count; k++) {
            CU_ASSERT_DOUBLE_EQUAL((double)a->values[k], (double)b->values[k], 1e-6);
        }
    }
    close_case(&halves, false);
    close_case(&whole, true);
}

/* Batches of a step drop different values. */
static void accumulated_batches_drop_anew(void) {
    train_case c;
    open_case(&c, "patchtst", patchtst_settings, NULL, &(pml_trainer_options){.n_accumulate = 2});
    const pml_batch *batch = next_batch(&c);
    PML_ASSERT_OK(pml_trainer_add(c.trainer, batch, &error), &error);
    const double first = c.trainer->loss;
    PML_ASSERT_OK(pml_trainer_add(c.trainer, batch, &error), &error);
    CU_ASSERT_TRUE(fabs(c.trainer->loss - 2 * first) > 1e-5 * first);
    close_case(&c, true);
}

static bool only_biases(void *user, const char *name) {
    (void)user;
    return strstr(name, ".bias") != NULL;
}
static bool nothing(void *user, const char *name) {
    (void)user, (void)name;
    return false;
}

static void frozen_weights_stay(void) {
    train_case c;
    open_case(&c, "dlinear", dlinear_settings, NULL, &(pml_trainer_options){0});
    pml_model *model = NULL;
    pml_trainer *trainer = NULL;
    const pml_trainable_options options = {.backend = "cpu", .is_learned = only_biases};
    PML_ASSERT_OK(pml_model_create_trainable(c.file, &options, &model, &error), &error);
    CU_ASSERT_EQUAL(pml_model_n_parameters(model), 2);
    CU_ASSERT_PTR_NULL(pml_model_parameter_find(model, "seasonal.weight"));
    PML_ASSERT_OK(pml_trainer_create(model, &(pml_trainer_options){0}, &trainer, &error), &error);
    pml_trainer_destroy(trainer);
    pml_model_destroy(model);
    const pml_trainable_options none = {.backend = "cpu", .is_learned = nothing};
    PML_ASSERT_OK(pml_model_create_trainable(c.file, &none, &model, &error), &error);
    PML_ASSERT_FAILS(pml_trainer_create(model, &(pml_trainer_options){0}, &trainer, &error), PML_E_UNSUPPORTED, &error,
                     "no weight is to be trained");
    pml_model_destroy(model);
    close_case(&c, true);
}

static void numbers_out_of_hand_are_errors(void) {
    train_case c;
    pml_step_result result;
    open_case(&c, "dlinear", dlinear_settings, NULL, &(pml_trainer_options){.optimizer = "sgd:lr=0.1"});
    pml_parameter *bias = pml_model_parameter_find(c.model, "trend.bias");
    PML_ASSERT_OK(pml_trainer_add(c.trainer, next_batch(&c), &error), &error);
    bias->gradient[1] = NAN;
    const float before = bias->values[0];
    PML_ASSERT_FAILS(pml_trainer_step(c.trainer, 1, &result, &error), PML_E_NUMERIC, &error,
                     "step 1: element 1 of the gradient of 'trend.bias' is nan");
    CU_ASSERT_EQUAL(bias->values[0], before);
    CU_ASSERT_EQUAL(c.trainer->n_steps, 0);
    bias->values[0] = INFINITY;
    PML_ASSERT_FAILS(pml_trainer_add(c.trainer, next_batch(&c), &error), PML_E_NUMERIC, &error,
                     "step 1: element 0 of output 'prediction_outputs'");
    close_case(&c, true);
}

static void gradients_are_clipped(void) {
    train_case c;
    open_case(&c, "dlinear", dlinear_settings, NULL,
              &(pml_trainer_options){.optimizer = "sgd:lr=1", .clip_norm = 1e-3});
    pml_step_result result;
    const pml_parameter *weight = pml_model_parameter_find(c.model, "seasonal.weight");
    double moved = 0;
    float *before = NULL;
    PML_ASSERT_OK(pml_alloc(weight->count, sizeof *before, &before, &error), &error);
    memcpy(before, weight->values, weight->count * sizeof *before);
    PML_ASSERT_OK(pml_trainer_add(c.trainer, next_batch(&c), &error), &error);
    PML_ASSERT_OK(pml_trainer_step(c.trainer, 1, &result, &error), &error);
    CU_ASSERT_TRUE(result.gradient_norm > 0.01);
    for (size_t i = 0; i < weight->count; i++) {
        moved += ((double)weight->values[i] - (double)before[i]) * ((double)weight->values[i] - (double)before[i]);
    }
    CU_ASSERT_TRUE(moved > 0 && sqrt(moved) < 1.01e-3);
    pml_free(before);
    close_case(&c, true);
}

static void averages_follow_the_weights(void) {
    train_case c;
    open_case(&c, "dlinear", dlinear_settings, NULL,
              &(pml_trainer_options){.optimizer = "sgd:lr=0.1", .ema_decay = 0.75});
    const pml_parameter *bias = pml_model_parameter_find(c.model, "trend.bias");
    double average = (double)bias->values[1];
    for (int k = 0; k < 4; k++) {
        (void)one_step(&c);
        average += 0.25 * ((double)bias->values[1] - average);
    }
    const float last = bias->values[1];
    pml_trainer_swap_average(c.trainer);
    CU_ASSERT_DOUBLE_EQUAL((double)bias->values[1], average, 1e-6);
    CU_ASSERT_NOT_EQUAL(bias->values[1], last);
    pml_trainer_swap_average(c.trainer);
    CU_ASSERT_EQUAL(bias->values[1], last);
    pml_trainer *trainer = NULL;
    PML_ASSERT_FAILS(pml_trainer_create(c.model, &(pml_trainer_options){.ema_decay = 1.5}, &trainer, &error),
                     PML_E_ARGUMENT, &error, "between 0 and 1");
    close_case(&c, true);
}

PML_TESTS("runtime/train/trainer", PML_TEST(losses_fall), PML_TEST(averages_follow_the_weights),
          PML_TEST(accumulated_batches_make_one_step), PML_TEST(accumulated_batches_drop_anew),
          PML_TEST(frozen_weights_stay), PML_TEST(numbers_out_of_hand_are_errors), PML_TEST(gradients_are_clipped))
