#include <string.h>
#include <unistd.h>

#include "runtime/train/logs/log_sink.h"
#include "tests/runtime/train/logs/logs_fixture.h"

static void unknown_forms_are_refused_by_name(void) {
    pml_error error;
    pml_trainer_state state = {0};
    pml_train_log *log = NULL;
    pml_train_log_setup setup = {.folder = pml_test_fresh_dir("none"), .state = &state, .forms = "csv,wandb"};
    PML_ASSERT_FAILS(pml_train_log_open(&setup, &log, &error), PML_E_ARGUMENT, &error,
                     "'wandb' is no form of log; there are trainer_state, tensorboard, csv");
    setup.forms = ",";
    PML_ASSERT_FAILS(pml_train_log_open(&setup, &log, &error), PML_E_ARGUMENT, &error, "'' is no form");
    setup.forms = "";
    PML_ASSERT_OK(pml_train_log_open(&setup, &log, &error), &error);
    log_steps(log, &state, 1, 2, 0);
    PML_ASSERT_OK(pml_train_log_flush(log, &error), &error);
    pml_train_log_close(log);
    CU_ASSERT_EQUAL(state.log_history.n_entries, 3);
    pml_trainer_state_deinit(&state);
    CU_ASSERT_EQUAL(pml_test_count_files(setup.folder), 0);
}

static void all_forms_agree_on_a_resumed_run(void) {
    pml_error error;
    pml_trainer_state state = {0};
    double value = 0;
    const char *folder = pml_test_fresh_dir("all");
    killed_and_resumed(folder, NULL);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 4);
    PML_ASSERT_OK(pml_trainer_state_read(pml_test_path("%s/trainer_state.json", folder), &state, &error), &error);
    CU_ASSERT_EQUAL(state.global_step, 6);
    CU_ASSERT_EQUAL_FATAL(state.log_history.n_entries, 9);
    for (size_t i = 0; i < 9; i++) {
        const pml_log_record record = pml_log_history_at(&state.log_history, i);
        if (pml_log_record_find(&record, "loss", &value)) {
            CU_ASSERT_DOUBLE_EQUAL(value, 1.0 / (double)record.step, 1e-12);
        }
    }
    pml_trainer_state_deinit(&state);
}

static void steps_do_not_go_back(void) {
    pml_error error;
    pml_trainer_state state = {0};
    pml_train_log *log = NULL;
    const pml_log_value value = {"loss", 1};
    const pml_train_log_setup setup = {.folder = pml_test_fresh_dir("back"), .state = &state, .forms = "csv"};
    PML_ASSERT_OK(pml_train_log_open(&setup, &log, &error), &error);
    log_steps(log, &state, 1, 3, 0);
    PML_ASSERT_FAILS(pml_train_log_write(log, &(pml_log_record){2, 1, &value, 1}, &error), PML_E_ARGUMENT, &error,
                     "step 2 was logged behind step 3");
    pml_train_log_close(log);
    pml_trainer_state_deinit(&state);
}

static void transformers_reads_the_state(void) {
    const char *python = pml_test_path("%s/transformers-client/bin/python", pml_test_binary_dir());
    const char *folder = pml_test_fresh_dir("transformers");
    char *output = NULL;
    if (access(python, X_OK) != 0) {
        pml_test_skip("no transformers: scripts/setup_client transformers BUILD/transformers-client");
        return;
    }
    killed_and_resumed(folder, "trainer_state");
    CU_ASSERT_EQUAL(
        pml_test_command(&output,
                         "('%s' -c 'from transformers.trainer_callback import TrainerState as T; import sys;"
                         "s = T.load_from_json(sys.argv[1]); print(s.global_step, len(s.log_history), s.epoch,"
                         "s.log_history[-1], s.best_metric)' '%s/trainer_state.json' 2>/dev/null)",
                         python, folder),
        0);
    CU_ASSERT_STRING_EQUAL(output, "6 9 3.0 {'epoch': 3.0, 'eval_loss': 0.3333333333333333, 'step': 6} None\n");
    free(output);
}

static void survives_failing_allocations(void) {
    pml_status status = PML_E_MEMORY;
    const char *folder = pml_test_fresh_dir("memory");
    unsigned long n = 1;
    for (; status != PML_OK && n < 1000; n++) {
        pml_error error;
        pml_trainer_state state = {0};
        pml_train_log *log = NULL;
        const pml_log_value value = {"loss", 1};
        const pml_train_log_setup setup = {.folder = folder, .state = &state};
        pml_test_fail_allocation(n, false);
        status = pml_train_log_open(&setup, &log, &error);
        status = status == PML_OK ? pml_train_log_write(log, &(pml_log_record){1, 1, &value, 1}, &error) : status;
        status = status == PML_OK ? pml_train_log_flush(log, &error) : status;
        pml_test_fail_allocation(0, false);
        CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
        pml_train_log_close(log);
        pml_trainer_state_deinit(&state);
    }
    CU_ASSERT_TRUE(n > 5 && n < 1000);
}

PML_TESTS("runtime/train/logs/train_log", PML_TEST(unknown_forms_are_refused_by_name),
          PML_TEST(all_forms_agree_on_a_resumed_run), PML_TEST(steps_do_not_go_back),
          PML_TEST(transformers_reads_the_state), PML_TEST(survives_failing_allocations))
