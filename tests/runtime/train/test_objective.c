#include "tests/runtime/train/train_case.h"

static void tasks_follow_from_outputs(void) {
    static const struct {
        const char *family;
        const char *const *settings;
        const char *task, *loss;
    } cases[] = {
        {"dlinear", dlinear_settings, "forecast", "mse"},
        {"patchtst", patchtst_settings, "forecast", "mse"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        series_model m = series_open(cases[i].family, cases[i].settings);
        pml_objective objective;
        PML_ASSERT_OK(pml_objective_init(&objective, m.model, NULL, NULL, &error), &error);
        CU_ASSERT_STRING_EQUAL(objective.task->name, cases[i].task);
        CU_ASSERT_STRING_EQUAL(objective.loss->plugin.name, cases[i].loss);
        pml_objective_deinit(&objective);
        PML_ASSERT_FAILS(pml_objective_init(&objective, m.model, "classify", NULL, &error), PML_E_UNSUPPORTED, &error,
                         "the task classify");
        PML_ASSERT_FAILS(pml_objective_init(&objective, m.model, NULL, "cross_entropy", &error), PML_E_ARGUMENT, &error,
                         "does not compare");
        PML_ASSERT_FAILS(pml_objective_init(&objective, m.model, NULL, "mean", &error), PML_E_NOT_FOUND, &error, "mse");
        series_close(&m);
    }
}

static void losses_are_those_of_the_outputs(void) {
    train_case c;
    open_case(&c, "dlinear", dlinear_settings, NULL, &(pml_trainer_options){.loss = "l1"});
    const pml_batch *batch = next_batch(&c);
    double loss = 0, expected = 0;
    PML_ASSERT_OK(pml_objective_run(&c.trainer->objective, c.model, batch, &error), &error);
    PML_ASSERT_OK(pml_objective_loss(&c.trainer->objective, c.model, batch, 0.5, false, &loss, &error), &error);
    const pml_array *output = pml_model_output(c.model, "prediction_outputs");
    const float *target = pml_batch_find(batch, "future_values")->data;
    for (size_t i = 0; i < 8 * TRAIN_S * TRAIN_C; i++) {
        expected += fabs((double)output->data[i] - (double)target[i]) / (8 * TRAIN_S * TRAIN_C);
    }
    CU_ASSERT_DOUBLE_EQUAL(loss, 0.5 * expected, 1e-7);
    close_case(&c, true);
}

/* Of two channels the last is foretold, and a value of it is missing. */
static void targets_may_be_some_channels(void) {
    train_case c;
    open_case(&c, "dlinear", dlinear_settings, NULL, &(pml_trainer_options){0});
    pml_batch batch = *next_batch(&c);
    const float *both = pml_batch_find(&batch, "future_values")->data;
    float target[8 * TRAIN_S], observed[8 * TRAIN_S];
    for (size_t i = 0; i < 8 * TRAIN_S; i++) {
        target[i] = both[i * TRAIN_C + 1];
        observed[i] = i != 4;
    }
    target[4] = 100;
    const pml_batch_field fields[] = {batch.fields[0],
                                      {"future_values", PML_DTYPE_F32, target, 3, {8, TRAIN_S, 1}},
                                      {"future_observed_mask", PML_DTYPE_F32, observed, 3, {8, TRAIN_S, 1}}};
    batch.fields = fields;
    batch.n_fields = 3;
    double loss = 0, expected = 0;
    pml_objective *objective = &c.trainer->objective;
    PML_ASSERT_OK(pml_objective_run(&c.trainer->objective, c.model, &batch, &error), &error);
    PML_ASSERT_OK(pml_objective_loss(objective, c.model, &batch, 1, true, &loss, &error), &error);
    const float *output = pml_model_output(c.model, "prediction_outputs")->data;
    for (size_t i = 0; i < 8 * TRAIN_S; i++) {
        const double d = i == 4 ? 0 : (double)output[i * TRAIN_C + 1] - (double)target[i];
        expected += d * d / (8 * TRAIN_S - 1);
        CU_ASSERT_EQUAL(objective->gradients[i * TRAIN_C], 0);
        CU_ASSERT_DOUBLE_EQUAL((double)objective->gradients[i * TRAIN_C + 1], 2 * d / (8 * TRAIN_S - 1), 1e-6);
    }
    CU_ASSERT_DOUBLE_EQUAL(loss, expected, 1e-6);
    close_case(&c, true);
}

static void a_batch_without_target_is_refused(void) {
    train_case c;
    open_case(&c, "dlinear", dlinear_settings, NULL, &(pml_trainer_options){0});
    pml_batch batch = *next_batch(&c);
    batch.n_fields = 1;
    PML_ASSERT_FAILS(pml_trainer_add(c.trainer, &batch, &error), PML_E_NOT_FOUND, &error, "no 'future_values'");
    close_case(&c, true);
}

PML_TESTS("runtime/train/objective", PML_TEST(tasks_follow_from_outputs), PML_TEST(losses_are_those_of_the_outputs),
          PML_TEST(targets_may_be_some_channels), PML_TEST(a_batch_without_target_is_refused))
