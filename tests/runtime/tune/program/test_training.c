/* `pml-run tune FILE`: trials are trainings of a model. */
#include "tests/runtime/tune/program/tune_fixture.h"

static const char *model(void) {
    const char *path = tune_file("model.pml");
    if (access(path, F_OK) != 0) {
        CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL,
                                               "'%s/pml-convert' '%s/tests/goldens/dlinear/neuralforecast' -o '%s' -q",
                                               pml_test_binary_dir(), pml_test_source_dir(), path),
                              0);
    }
    return path;
}

static int tune_model(char **output, const char *space, const char *arguments) {
    pml_test_write_file(tune_file("training.json"), space, strlen(space));
    return pml_test_command(
        output, "'%s/pml-run' tune '%s' --data '%s/examples/hourly.csv' --split 0.7,0.1,0.2 --space '%s' %s",
        pml_test_binary_dir(), model(), pml_test_source_dir(), tune_file("training.json"), arguments);
}

static void settings_are_searched_for(void) {
    static const char space[] =
        "{\"optimizer\": {\"type\": \"categorical\", \"choices\": [\"adamw\", \"sgd\"]},"
        " \"optimizer.lr\": {\"type\": \"float\", \"low\": 1e-4, \"high\": 0.1, \"log\": true},"
        " \"batch_size\": {\"type\": \"int\", \"low\": 16, \"high\": 32, \"step\": 16},"
        " \"optimizer.momentum\": {\"type\": \"float\", \"low\": 0, \"high\": 0.9, \"if\": {\"optimizer\": \"sgd\"}}}";
    char *output = NULL;
    size_t n_trials, n_different = 0;
    const char *journal = tune_file("training.journal");
    CU_ASSERT_EQUAL(tune_model(&output, space,
                               pml_test_path("--epochs 2 -n 6 --seed 1 -w 2 --storage '%s' -o '%s' --pruner "
                                             "median:n_startup_trials=2",
                                             journal, tune_file("runs"))),
                    0);
    free(output);
    pml_study *study = tune_open(journal);
    const pml_trial *const *trials = pml_study_trials(study, &n_trials);
    CU_ASSERT_EQUAL_FATAL(n_trials, 6);
    for (size_t i = 0; i < n_trials; i++) {
        double least = INFINITY;
        CU_ASSERT_TRUE(trials[i]->state == PML_TRIAL_COMPLETE || trials[i]->state == PML_TRIAL_PRUNED);
        for (size_t j = 0; j < trials[i]->n_reports; j++) {
            least = fmin(least, trials[i]->reports[j].value);
        }
        if (trials[i]->state == PML_TRIAL_COMPLETE) {
            CU_ASSERT_EQUAL(trials[i]->n_reports, 2); /* one for each epoch */
            CU_ASSERT_EQUAL(trials[i]->value, least);
            CU_ASSERT_EQUAL(access(tune_file(pml_test_path("runs/trial-%zu/model.pml", i)), F_OK), 0);
        }
        n_different += i > 0 && trials[i]->value != trials[0]->value;
    }
    CU_ASSERT_EQUAL(n_different, 5);
    pml_study_close(study);
}

/* A training that explodes is a trial that failed. */
static void explosions_are_failed_trials(void) {
    char *output = NULL;
    size_t n_trials;
    const char *journal = tune_file("explode.journal");
    CU_ASSERT_EQUAL(tune_model(&output, "{\"optimizer.lr\": {\"type\": \"float\", \"low\": 1e8, \"high\": 1e9}}",
                               pml_test_path("--optimizer sgd --epochs 2 -n 1 --storage '%s' -o '%s'", journal,
                                             tune_file("explosions"))),
                    0);
    free(output);
    pml_study *study = tune_open(journal);
    const pml_trial *const *trials = pml_study_trials(study, &n_trials);
    CU_ASSERT_EQUAL_FATAL(n_trials, 1);
    CU_ASSERT_EQUAL(trials[0]->state, PML_TRIAL_FAILED);
    CU_ASSERT_PTR_NOT_NULL(pml_attributes_find(&trials[0]->user, "failure"));
    pml_study_close(study);
}

static void what_is_no_setting_is_refused(void) {
    static const struct {
        const char *space, *arguments, *part;
        int code;
    } cases[] = {
        {"{\"rate\": {\"type\": \"float\", \"low\": 0, \"high\": 1}}", "-n 1 -o x", "'rate' is no setting", 78},
        {"{\"epochs\": {\"type\": \"float\", \"low\": 1, \"high\": 2}}", "-n 1 -o x", "whole", 78},
        {"{\"loss.delta\": {\"type\": \"float\", \"low\": 1, \"high\": 2}}", "-n 1 -o x", "--loss", 78},
        {"{\"epochs\": {\"type\": \"int\", \"low\": 1, \"high\": 2}}", "-n 1", "--out", 2},
        {"{\"epochs\": {\"type\": \"int\", \"low\": 1, \"high\": 2}}", "-n 1 -o x --command true", "--command", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *output = NULL;
        CU_ASSERT_EQUAL(tune_model(&output, cases[i].space, cases[i].arguments), cases[i].code);
        CU_ASSERT_PTR_NOT_NULL(strstr(output, cases[i].part));
        free(output);
    }
}

PML_TESTS("runtime/tune/program/training", PML_TEST(settings_are_searched_for), PML_TEST(explosions_are_failed_trials),
          PML_TEST(what_is_no_setting_is_refused))
