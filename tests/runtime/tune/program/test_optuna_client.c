/* The real Optuna on our journals, and we on its, where scripts/setup_client has put it. */
#include "tests/runtime/tune/program/tune_fixture.h"

static bool is_there(void) {
    if (access(pml_test_path("%s/optuna-client/bin/python", pml_test_binary_dir()), X_OK) == 0) {
        return true;
    }
    pml_test_skip("no Optuna: scripts/setup_client optuna BUILD/optuna-client");
    return false;
}

static void optuna(const char *action, const char *journal) {
    char *output = NULL;
    const int code = pml_test_command(
        &output, "'%s/optuna-client/bin/python' '%s/tests/runtime/tune/program/optuna_client.py' %s '%s'",
        pml_test_binary_dir(), pml_test_source_dir(), action, journal);
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "optuna is content"));
    if (code != 0) {
        (void)printf("%s\n", output);
    }
    free(output);
}

static void optuna_reads_our_study_and_we_go_on(void) {
    if (!is_there()) {
        return;
    }
    char *output = NULL;
    size_t n_trials;
    const char *journal = tune_file("ours.journal");
    const char *objective = pml_test_path("%s/tests/runtime/tune/program/objective.sh", pml_test_source_dir());
    CU_ASSERT_EQUAL(tune_run(&output, pml_test_path("--storage '%s' --objective loss -n 15 --seed 1 --pruner median "
                                                    "--command '%s {lr} {opt} {m}'",
                                                    journal, objective)),
                    0);
    free(output);
    CU_ASSERT_EQUAL(
        tune_run(&output, pml_test_path("--storage '%s' -n 1 --seed 2 --command '%s fail {lr}'", journal, objective)),
        0);
    free(output);
    optuna("look", journal);
    CU_ASSERT_EQUAL(tune_run(&output, pml_test_path("--storage '%s' -n 3 --seed 3 -w 2 --command '%s {lr} {opt} {m}'",
                                                    journal, objective)),
                    0);
    free(output);
    pml_study *study = tune_open(journal);
    const pml_trial *const *trials = pml_study_trials(study, &n_trials);
    CU_ASSERT_EQUAL_FATAL(n_trials, 23); /* 16 of ours, 4 of Optuna's, one that it enqueued, two new ones */
    CU_ASSERT_EQUAL(pml_trial_find(trials[20], "lr")->value, 0.5);
    CU_ASSERT_EQUAL(pml_study_count(study, PML_TRIAL_COMPLETE), 22);
    pml_study_close(study);
}

static void we_go_on_with_optunas_study(void) {
    if (!is_there()) {
        return;
    }
    char *output = NULL;
    size_t n_trials;
    const char *journal = tune_file("theirs.journal");
    const char *objective = pml_test_path("%s/tests/runtime/tune/program/objective.sh", pml_test_source_dir());
    optuna("begin", journal);
    CU_ASSERT_EQUAL(tune_run(&output, pml_test_path("--storage '%s' -n 6 --seed 1 --command '%s {lr} {opt} {m}'",
                                                    journal, objective)),
                    0);
    free(output);
    pml_study *study = tune_open(journal);
    (void)pml_study_trials(study, &n_trials);
    CU_ASSERT_EQUAL(n_trials, 19);
    CU_ASSERT_STRING_EQUAL(pml_study_name(study), "theirs");
    CU_ASSERT_STRING_EQUAL(pml_study_objective(study), "loss");
    CU_ASSERT_EQUAL(pml_study_count(study, PML_TRIAL_COMPLETE), 18);
    pml_study_close(study);
}

/* Both write at the same time. */
static void workers_of_both_share_a_journal(void) {
    if (!is_there()) {
        return;
    }
    char *output = NULL;
    size_t n_trials;
    const char *journal = tune_file("both.journal");
    const char *objective = pml_test_path("%s/tests/runtime/tune/program/objective.sh", pml_test_source_dir());
    CU_ASSERT_EQUAL(tune_run(&output, pml_test_path("--storage '%s' -n 1 --seed 1 --command '%s {lr} {opt} {m}'",
                                                    journal, objective)),
                    0);
    free(output);
    const int code = pml_test_command(
        &output,
        "'%s/optuna-client/bin/python' '%s/tests/runtime/tune/program/optuna_client.py' work '%s' & "
        "'%s/pml-train' tune --space '%s' --storage '%s' -n 20 -w 2 --command '%s {lr} {opt} {m}' && wait $!",
        pml_test_binary_dir(), pml_test_source_dir(), journal, pml_test_binary_dir(), tune_space(), journal, objective);
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "optuna is content"));
    free(output);
    pml_study *study = tune_open(journal);
    const pml_trial *const *trials = pml_study_trials(study, &n_trials);
    CU_ASSERT_EQUAL(n_trials, 36);
    for (size_t i = 0; i < n_trials; i++) {
        CU_ASSERT_EQUAL(trials[i]->state, PML_TRIAL_COMPLETE);
        CU_ASSERT_EQUAL(trials[i]->value, pml_trial_find(trials[i], "lr")->value);
    }
    pml_study_close(study);
}

PML_TESTS("runtime/tune/program/optuna_client", PML_TEST(optuna_reads_our_study_and_we_go_on),
          PML_TEST(we_go_on_with_optunas_study), PML_TEST(workers_of_both_share_a_journal))
