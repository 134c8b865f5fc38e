/* `pml-train tune`, and `pml-run tune` that becomes it. */
#include <math.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/runtime/tune/program/tune_fixture.h"

/* Runs a shell line as the objective: its text must hold no single quote. */
static int tune_shell(char **output, const char *options, const char *line) {
    return tune_run(output, pml_test_path("%s --command 'sh -c \"%s\" sh {lr} {opt} {m}'", options, line));
}

static void the_value_is_the_last_line(void) {
    char *output = NULL;
    size_t n_trials;
    const char *journal = tune_file("value.journal");
    CU_ASSERT_EQUAL(tune_shell(&output, pml_test_path("--storage '%s' -n 4 --seed 1 --study-name s --quiet", journal),
                               "echo 7; echo; echo \\$1; echo"),
                    0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "s: 4 trials, 4 complete\nbest trial "));
    CU_ASSERT_STRING_EQUAL(strrchr(output, '/') != NULL ? strrchr(output, '/') : "", "/value.journal\n");
    free(output);
    pml_study *study = tune_open(journal);
    const pml_trial *const *trials = pml_study_trials(study, &n_trials);
    CU_ASSERT_EQUAL_FATAL(n_trials, 4);
    for (size_t i = 0; i < n_trials; i++) {
        CU_ASSERT_EQUAL(trials[i]->value, pml_trial_find(trials[i], "lr")->value);
    }
    pml_study_close(study);
    CU_ASSERT_EQUAL(pml_test_command(&output, "'%s/pml-run' tune --show trials --storage '%s' --json",
                                     pml_test_binary_dir(), journal),
                    0);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(output, "{\"study_name\":\"s\",\"trials\":[{\"number\":0,\"state\":\"complete\",\"value\":"));
    free(output);
}

static void failures_are_noted_and_do_not_end_the_search(void) {
    static const struct {
        const char *line, *failure;
    } cases[] = {{"exit 3", "\"exit code 3\""},
                 {"kill -9 \\$\\$", "\"ended by signal 9\""},
                 {"echo no", "\"the last line is no value: 'no'\""},
                 {"echo 3 4", "\"the last line is no value: '3 4'\""},
                 {"echo nan", "\"the value is not a number\""},
                 {"true", "\"the last line is no value: ''\""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *output = NULL;
        size_t n_trials;
        const char *journal = tune_file(pml_test_path("failure%zu.journal", i));
        CU_ASSERT_EQUAL(tune_shell(&output, pml_test_path("--storage '%s' -n 2", journal), cases[i].line), 0);
        free(output);
        pml_study *study = tune_open(journal);
        const pml_trial *const *trials = pml_study_trials(study, &n_trials);
        CU_ASSERT_EQUAL_FATAL(n_trials, 2);
        CU_ASSERT_EQUAL(trials[1]->state, PML_TRIAL_FAILED);
        const char *failure = pml_attributes_find(&trials[1]->user, "failure");
        CU_ASSERT_STRING_EQUAL(failure != NULL ? failure : "", cases[i].failure);
        pml_study_close(study);
    }
}

/* No value becomes another argument, or a command. */
static void values_stay_within_their_arguments(void) {
    static const char space[] = "{\"x\": {\"type\": \"categorical\", \"choices\": [\"a b; echo 1 $(echo 2) \\\"'\"]}}";
    char *output = NULL;
    const char *file = tune_file("quotes.json");
    const char *journal = tune_file("quotes.journal");
    size_t n_trials;
    pml_test_write_file(file, space, sizeof space - 1);
    CU_ASSERT_EQUAL(pml_test_command(
                        &output,
                        "'%s/pml-train' tune --space '%s' --storage '%s' -n 1 --command "
                        "'sh -c \"echo \\$#; printf %%s%%s \\\"\\$1\\\" \\\"\\$2\\\" | wc -c\" sh {x} --n={trial}{{}}'",
                        pml_test_binary_dir(), file, journal),
                    0);
    free(output);
    pml_study *study = tune_open(journal);
    const pml_trial *const *trials = pml_study_trials(study, &n_trials);
    CU_ASSERT_EQUAL(trials[0]->value, 24 + 7);
    pml_study_close(study);
}

static void the_pruner_ends_programs(void) {
    char *output = NULL;
    const char *journal = tune_file("pruned.journal");
    const char *line = "echo 0 \\$(wc -c < \\$3.count 2> /dev/null || echo 0); printf x >> \\$3.count; sleep 0.05; "
                       "if [ \\$(wc -c < \\$3.count) -gt 2 ]; then exec sleep 600; fi; echo 1";
    CU_ASSERT_EQUAL(tune_run(&output, pml_test_path("--storage '%s' -n 4 --pruner median:n_startup_trials=2 --command "
                                                    "'sh -c \"%s\" sh {lr} {opt} %s'",
                                                    journal, line, tune_file("pruned"))),
                    0);
    free(output);
    pml_study *study = tune_open(journal);
    CU_ASSERT_EQUAL(pml_study_count(study, PML_TRIAL_COMPLETE), 2);
    CU_ASSERT_EQUAL(pml_study_count(study, PML_TRIAL_PRUNED), 2);
    pml_study_close(study);
}

static void a_grid_ends_by_itself(void) {
    char *output = NULL;
    const char *journal = tune_file("grid.journal");
    CU_ASSERT_EQUAL(tune_shell(&output, pml_test_path("--storage '%s' --sampler grid -w 3", journal), "echo \\$1"), 0);
    free(output);
    pml_study *study = tune_open(journal);
    CU_ASSERT_EQUAL(pml_study_count(study, PML_TRIAL_COMPLETE), 6); /* 2 rates x (adam + sgd x 2) */
    pml_study_close(study);
}

/* One of several workers is killed in the middle of a trial: the trial is tried again, and all are done in the end. */
static void killed_workers_lose_nothing(void) {
    char *output = NULL;
    size_t n_trials;
    const char *journal = tune_file("workers.journal");
    const char *line = "if mkdir \\$3.killed 2> /dev/null; then kill -9 \\$PPID; exec sleep 600; fi; echo \\$1";
    CU_ASSERT_EQUAL(
        tune_run(&output, pml_test_path("--storage '%s' -n 12 -w 3 --command 'sh -c \"%s\" sh {lr} {opt} %s'", journal,
                                        line, tune_file("workers"))),
        0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "ended by signal 9"));
    free(output);
    pml_study *study = tune_open(journal);
    const pml_trial *const *trials = pml_study_trials(study, &n_trials);
    CU_ASSERT_EQUAL(n_trials, 13);
    CU_ASSERT_EQUAL(pml_study_count(study, PML_TRIAL_COMPLETE), 12);
    CU_ASSERT_EQUAL(pml_study_count(study, PML_TRIAL_FAILED), 1);
    for (size_t i = 0; i < n_trials; i++) {
        if (trials[i]->state == PML_TRIAL_FAILED) {
            bool is_retried = false;
            for (size_t j = i + 1; j < n_trials; j++) {
                is_retried |= pml_attributes_find(&trials[j]->system, "failed_trial") != NULL &&
                              pml_trial_find(trials[j], "lr")->value == pml_trial_find(trials[i], "lr")->value;
            }
            CU_ASSERT_TRUE(is_retried);
        }
    }
    pml_study_close(study);
}

/* A signal ends the program under way, tells its trial's end, and then the search. */
static void a_signal_stops_cleanly(void) {
    for (int workers = 1; workers <= 2; workers++) {
        char *output = NULL;
        const char *journal = tune_file(pml_test_path("signal%d.journal", workers));
        const int code = pml_test_command(&output,
                                          "'%s/pml-train' tune --space '%s' --storage '%s' -n 5 -w %d --command 'sh -c "
                                          "\"echo > %s.on; exec sleep 600\"' & "
                                          "while [ ! -e %s.on ]; do sleep 0.02; done; kill -TERM $!; wait $!",
                                          pml_test_binary_dir(), tune_space(), journal, workers, journal, journal);
        CU_ASSERT_EQUAL(code, 128 + SIGTERM);
        free(output);
        pml_study *study = tune_open(journal);
        CU_ASSERT_EQUAL(pml_study_count(study, PML_TRIAL_RUNNING), 0);
        CU_ASSERT_TRUE(pml_study_count(study, PML_TRIAL_FAILED) >= 1);
        CU_ASSERT_NOT_EQUAL(access(pml_test_path("%s.lock", journal), F_OK), 0);
        pml_study_close(study);
    }
}

static void wrong_command_lines_are_refused(void) {
    static const struct {
        const char *arguments, *part;
        int code;
    } cases[] = {{"-n 1", "--command", 2},
                 {"--command 'true'", "--n-trials", 2},
                 {"-n 1 --command 'true {nope}'", "'nope'", 2},
                 {"-n 1 --command 'true {lr'", "'}'", 2},
                 {"-n 1 --command 'true \"x'", "quote", 2},
                 {"-n 1 --command ' '", "no program", 2},
                 {"-n 1 --command 'true' -w 2", "--storage", 2},
                 {"-n 1 --command 'true' --sampler tree", "tree", 2},
                 {"-n 1 --command 'true' --sampler tpe:nope=1", "nope", 2},
                 {"-n 1 --command 'true' --pruner sha:reduction_factor=1", "reduction_factor", 2},
                 {"-n 1 --command 'true' --timeout x", "--timeout", 2},
                 {"-n 1 --command '/no/such/program'", "/no/such/program", 66},
                 {"--show best --storage /no/such/file", "/no/such/file", 66}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *output = NULL;
        CU_ASSERT_EQUAL(tune_run(&output, cases[i].arguments), cases[i].code);
        if (strstr(output, cases[i].part) == NULL) {
            (void)printf("%s: %s\n", cases[i].arguments, output);
        }
        CU_ASSERT_PTR_NOT_NULL(strstr(output, cases[i].part));
        free(output);
    }
}

static void lists_what_there_is(void) {
    char *output = NULL;
    CU_ASSERT_EQUAL(pml_test_command(&output, "'%s/pml-run' tune --list", pml_test_binary_dir()), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "sampler tpe: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "pruner hyperband: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "reduction_factor"));
    free(output);
}

PML_TESTS("runtime/tune/program/command", PML_TEST(the_value_is_the_last_line),
          PML_TEST(failures_are_noted_and_do_not_end_the_search), PML_TEST(values_stay_within_their_arguments),
          PML_TEST(the_pruner_ends_programs), PML_TEST(a_grid_ends_by_itself), PML_TEST(killed_workers_lose_nothing),
          PML_TEST(a_signal_stops_cleanly), PML_TEST(wrong_command_lines_are_refused), PML_TEST(lists_what_there_is))
