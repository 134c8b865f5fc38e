#include "runtime/tune/study.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness.h"

static pml_study *open_study(pml_study_options options) {
    pml_error error;
    pml_study *study = NULL;
    PML_ASSERT_OK(pml_study_open(&options, &study, &error), &error);
    return study;
}

static const pml_trial *ask(pml_study *study) {
    pml_error error;
    const pml_trial *trial = NULL;
    PML_ASSERT_OK(pml_study_ask(study, &trial, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(trial);
    return trial;
}

static void asks_and_tells(void) {
    static const char *const choices[] = {"a", "b"};
    pml_error error;
    const char *path = pml_test_path("%s/ask.journal", pml_test_temporary_dir());
    pml_study *study = open_study((pml_study_options){
        .path = path, .name = "n", .direction = PML_STUDY_MAXIMIZE, .objective = "accuracy", .n_trials = 3});
    double x = 0, again = 0;
    int64_t n = 0;
    size_t c = 0;
    bool complete = true;
    const pml_trial *trial = ask(study);
    PML_ASSERT_OK(pml_study_suggest_float(study, trial, "x", 0, 1, 0, false, &x, &error), &error);
    PML_ASSERT_OK(pml_study_suggest_float(study, trial, "x", 0, 1, 0, false, &again, &error), &error);
    CU_ASSERT_EQUAL(x, again);
    PML_ASSERT_OK(pml_study_suggest_int(study, trial, "n", 2, 4, 1, false, &n, &error), &error);
    PML_ASSERT_OK(pml_study_suggest_choice(study, trial, "c", choices, 2, &c, &error), &error);
    PML_ASSERT_OK(pml_study_report(study, trial, 0, 0.25, &error), &error);
    PML_ASSERT_OK(pml_study_note(study, trial, "why", "because", &error), &error);
    PML_ASSERT_OK(pml_study_tell(study, trial, PML_TRIAL_COMPLETE, 0.5, &error), &error);
    PML_ASSERT_FAILS(pml_study_tell(study, trial, PML_TRIAL_COMPLETE, 0.5, &error), PML_E_ARGUMENT, &error,
                     "not running");
    const pml_trial *pruned = ask(study), *failed = ask(study);
    PML_ASSERT_OK(pml_study_report(study, pruned, 7, 0.75, &error), &error);
    PML_ASSERT_OK(pml_study_tell(study, pruned, PML_TRIAL_PRUNED, 0, &error), &error);
    PML_ASSERT_OK(pml_study_is_complete(study, &complete, &error), &error);
    CU_ASSERT_FALSE(complete);
    PML_ASSERT_OK(pml_study_tell(study, failed, PML_TRIAL_COMPLETE, NAN, &error), &error);
    PML_ASSERT_OK(pml_study_is_complete(study, &complete, &error), &error);
    CU_ASSERT_TRUE(complete);
    pml_study_close(study);

    study = open_study((pml_study_options){.path = path, .must_exist = true}); /* another process would see the same */
    size_t n_trials;
    const pml_trial *const *trials = pml_study_trials(study, &n_trials);
    CU_ASSERT_EQUAL_FATAL(n_trials, 3);
    CU_ASSERT_STRING_EQUAL(pml_study_name(study), "n");
    CU_ASSERT_STRING_EQUAL(pml_study_objective(study), "accuracy");
    CU_ASSERT_EQUAL(pml_study_direction_of(study), PML_STUDY_MAXIMIZE);
    CU_ASSERT_EQUAL(pml_study_best(study), trials[0]);
    CU_ASSERT_EQUAL(pml_trial_find(trials[0], "x")->value, x);
    CU_ASSERT_EQUAL(pml_trial_find(trials[0], "n")->value, (double)n);
    CU_ASSERT_EQUAL(pml_trial_find(trials[0], "c")->value, (double)c);
    CU_ASSERT_STRING_EQUAL(pml_attributes_find(&trials[0]->user, "why"), "\"because\"");
    CU_ASSERT_TRUE(trials[1]->state == PML_TRIAL_PRUNED && trials[1]->value == 0.75);
    CU_ASSERT_EQUAL(trials[2]->state, PML_TRIAL_FAILED);
    CU_ASSERT_TRUE(trials[0]->started[0] != '\0' && trials[0]->completed[0] != '\0');
    pml_study_close(study);
}

static void refuses_contradictions(void) {
    pml_error error;
    const char *path = pml_test_path("%s/refuse.journal", pml_test_temporary_dir());
    pml_study *study = open_study((pml_study_options){.path = path, .name = "n"}), *other = NULL;
    const pml_trial *trial = ask(study);
    double x = 0;
    int64_t n = 0;
    PML_ASSERT_OK(pml_study_suggest_float(study, trial, "x", 0, 1, 0, false, &x, &error), &error);
    PML_ASSERT_OK(pml_study_tell(study, trial, PML_TRIAL_COMPLETE, 1, &error), &error);
    trial = ask(study);
    PML_ASSERT_FAILS(pml_study_suggest_int(study, trial, "x", 0, 1, 1, false, &n, &error), PML_E_CONFIG, &error, "'x'");
    PML_ASSERT_FAILS(pml_study_suggest_float(study, trial, "x", 0.1, 1, 0, true, &x, &error), PML_E_CONFIG, &error,
                     "'x'");
    PML_ASSERT_OK(pml_study_suggest_float(study, trial, "x", 5, 6, 0, false, &x, &error), &error); /* ranges may move */
    CU_ASSERT_TRUE(x >= 5 && x <= 6);
    PML_ASSERT_FAILS(pml_study_report(study, trial, -1, 0, &error), PML_E_ARGUMENT, &error, "step");
    PML_ASSERT_FAILS(
        pml_study_open(&(pml_study_options){.path = path, .direction = PML_STUDY_MAXIMIZE}, &other, &error),
        PML_E_ARGUMENT, &error, "minimized");
    PML_ASSERT_FAILS(
        pml_study_open(&(pml_study_options){.path = path, .name = "m", .must_exist = true}, &other, &error),
        PML_E_NOT_FOUND, &error, "'m'");
    pml_study_close(open_study((pml_study_options){.path = path, .name = "m"}));
    PML_ASSERT_FAILS(pml_study_open(&(pml_study_options){.path = path}, &other, &error), PML_E_ARGUMENT, &error,
                     "several");
    pml_study_close(study);
}

/* What Optuna's enqueue_trial leaves: a waiting trial with values in an attribute. */
static void an_enqueued_trial_comes_first(void) {
    static const char *const choices[] = {"a", "b"};
    static const char lines[] = "{\"op_code\":0,\"worker_id\":\"o\",\"study_name\":\"n\",\"directions\":[1]}\n"
                                "{\"op_code\":4,\"worker_id\":\"o\",\"study_id\":0,\"datetime_start\":null,\"state\":4,"
                                "\"value\":null,\"values\":null,"
                                "\"distributions\":{},\"params\":{},\"user_attrs\":{},\"system_attrs\":{\"fixed_"
                                "params\":{\"x\":0.125,\"c\":\"b\"}},"
                                "\"intermediate_values\":{}}\n";
    pml_error error;
    double x = 0;
    size_t c = 0;
    const char *path = pml_test_path("%s/enqueued.journal", pml_test_temporary_dir());
    pml_test_write_file(path, lines, sizeof lines - 1);
    pml_study *study = open_study((pml_study_options){.path = path});
    const pml_trial *trial = ask(study);
    CU_ASSERT_EQUAL(trial->number, 0);
    PML_ASSERT_OK(pml_study_suggest_float(study, trial, "x", 0, 1, 0, false, &x, &error), &error);
    PML_ASSERT_OK(pml_study_suggest_choice(study, trial, "c", choices, 2, &c, &error), &error);
    CU_ASSERT_EQUAL(x, 0.125);
    CU_ASSERT_EQUAL(c, 1);
    CU_ASSERT_EQUAL(ask(study)->number, 1);
    pml_study_close(study);
}

/* A child that asks, reports, and is killed. */
static void lose_worker(const char *path) {
    const pid_t child = fork();
    if (child == 0) {
        pml_study *own = NULL;
        const pml_trial *trial = NULL;
        double x;
        const pml_study_options options = {.path = path, .max_retries = 2};
        if (pml_study_open(&options, &own, NULL) == PML_OK && pml_study_ask(own, &trial, NULL) == PML_OK &&
            pml_study_suggest_float(own, trial, "x", 0, 1, 0, false, &x, NULL) == PML_OK &&
            pml_study_report(own, trial, 0, x, NULL) == PML_OK) {
            (void)raise(SIGKILL);
        }
        _exit(1);
    }
    int wait_status = 0;
    CU_ASSERT_EQUAL(waitpid(child, &wait_status, 0), child);
    CU_ASSERT_TRUE(WIFSIGNALED(wait_status));
}

static void a_killed_workers_trial_is_tried_again(void) {
    if (pml_test_cannot_fork()) {
        return;
    }
    pml_error error;
    double x = -1;
    size_t n_trials;
    const char *path = pml_test_path("%s/killed.journal", pml_test_temporary_dir());
    lose_worker(path);
    lose_worker(path);
    pml_study *study = open_study((pml_study_options){.path = path, .max_retries = 2});
    const pml_trial *trial = ask(study);
    const pml_trial *const *trials = pml_study_trials(study, &n_trials);
    CU_ASSERT_EQUAL_FATAL(n_trials, 3);
    CU_ASSERT_EQUAL(trial, trials[2]);
    CU_ASSERT_TRUE(trials[0]->state == PML_TRIAL_FAILED && trials[1]->state == PML_TRIAL_FAILED);
    CU_ASSERT_STRING_EQUAL(pml_attributes_find(&trial->system, "failed_trial"), "0");
    CU_ASSERT_STRING_EQUAL(pml_attributes_find(&trial->system, "retry_history"), "[0,1]");
    PML_ASSERT_OK(pml_study_suggest_float(study, trial, "x", 0, 1, 0, false, &x, &error), &error);
    CU_ASSERT_EQUAL(x, pml_trial_find(trials[0], "x")->value); /* the same parameters */
    CU_ASSERT_EQUAL(trial->n_reports, 0);
    PML_ASSERT_OK(pml_study_tell(study, trial, PML_TRIAL_COMPLETE, x, &error), &error);
    pml_study_close(study);
}

static void retries_have_an_end(void) {
    if (pml_test_cannot_fork()) {
        return;
    }
    size_t n_trials;
    const char *path = pml_test_path("%s/often.journal", pml_test_temporary_dir());
    for (int i = 0; i < 3; i++) {
        lose_worker(path);
    }
    pml_study *study = open_study((pml_study_options){.path = path, .max_retries = 2});
    const pml_trial *trial = ask(study);
    (void)pml_study_trials(study, &n_trials);
    CU_ASSERT_EQUAL(n_trials, 4);
    CU_ASSERT_EQUAL(pml_study_count(study, PML_TRIAL_FAILED), 3);
    CU_ASSERT_PTR_NULL(pml_attributes_find(&trial->system, "failed_trial"));
    pml_study_close(study);
}

/* A trial of a process elsewhere is left alone, unless silence is said to count. */
static void silence_counts_only_when_said(void) {
    static const char lines[] =
        "{\"op_code\":0,\"worker_id\":\"o\",\"study_name\":\"n\",\"directions\":[1]}\n"
        "{\"op_code\":4,\"worker_id\":\"o\",\"study_id\":0,\"datetime_start\":\"2026-01-01T00:00:00.000000+00:00\"}\n";
    const char *path = pml_test_path("%s/silent.journal", pml_test_temporary_dir());
    pml_test_write_file(path, lines, sizeof lines - 1);
    pml_study *study = open_study((pml_study_options){.path = path, .max_retries = 1});
    CU_ASSERT_EQUAL(ask(study)->number, 1);
    pml_study_close(study);
    study = open_study((pml_study_options){.path = path, .max_retries = 1, .stale_ms = 1});
    (void)usleep(20000);
    CU_ASSERT_TRUE(ask(study)->number >= 2);
    size_t n_trials;
    CU_ASSERT_EQUAL(pml_study_trials(study, &n_trials)[0]->state, PML_TRIAL_FAILED);
    pml_study_close(study);
}

static void a_declared_space_is_suggested_as_a_whole(void) {
    static const char json[] = "{\"c\": {\"type\": \"categorical\", \"choices\": [\"on\", \"off\"]},"
                               " \"x\": {\"type\": \"float\", \"low\": 0, \"high\": 1, \"if\": {\"c\": \"on\"}}}";
    pml_error error;
    pml_space space = {0};
    double values[2];
    int n_on = 0;
    PML_ASSERT_OK(pml_space_parse(json, strlen(json), "space", &space, &error), &error);
    pml_study *study = open_study((pml_study_options){.space = &space, .seed = 3});
    for (int i = 0; i < 20; i++) {
        const pml_trial *trial = ask(study);
        PML_ASSERT_OK(pml_study_suggest_space(study, trial, values, &error), &error);
        CU_ASSERT_EQUAL(isnan(values[1]), values[0] == 1);
        CU_ASSERT_EQUAL(trial->n_parameters, values[0] == 1 ? 1 : 2);
        n_on += values[0] == 0;
        PML_ASSERT_OK(pml_study_tell(study, trial, PML_TRIAL_COMPLETE, values[0], &error), &error);
    }
    CU_ASSERT_TRUE(n_on > 0 && n_on < 20);
    pml_study_close(study);
    pml_space_deinit(&space);
}

PML_TESTS("runtime/tune/study", PML_TEST(asks_and_tells), PML_TEST(refuses_contradictions),
          PML_TEST(an_enqueued_trial_comes_first), PML_TEST(a_killed_workers_trial_is_tried_again),
          PML_TEST(retries_have_an_end), PML_TEST(silence_counts_only_when_said),
          PML_TEST(a_declared_space_is_suggested_as_a_whole))
