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
    PML_ASSERT_OK(pml_objective_run(c.model, batch, &error), &error);
    PML_ASSERT_OK(pml_objective_loss(&c.trainer->objective, c.model, batch, 0.5, false, &loss, &error), &error);
    const pml_array *output = pml_model_output(c.model, "prediction_outputs");
    const float *target = pml_batch_find(batch, "future_values")->data;
    for (size_t i = 0; i < 8 * TRAIN_S * TRAIN_C; i++) {
        expected += fabs((double)output->data[i] - (double)target[i]) / (8 * TRAIN_S * TRAIN_C);
    }
    CU_ASSERT_DOUBLE_EQUAL(loss, 0.5 * expected, 1e-7);
    close_case(&c, true);
}

static void a_batch_without_target_is_refused(void) {
    train_case c;
    open_case(&c, "dlinear", dlinear_settings, NULL, &(pml_trainer_options){0});
    pml_batch batch = *next_batch(&c);
    batch.n_fields = 1;
    PML_ASSERT_FAILS(pml_trainer_add(c.trainer, &batch, &error), PML_E_NOT_FOUND, &error,
                     "no 'future_values'");
    close_case(&c, true);
}

PML_TESTS("runtime/train/objective", PML_TEST(tasks_follow_from_outputs), PML_TEST(losses_are_those_of_the_outputs),
          PML_TEST(a_batch_without_target_is_refused))
