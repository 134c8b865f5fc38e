/* A run of two records a step, logged in a fresh folder. */
#ifndef PML_TESTS_RUNTIME_TRAIN_LOGS_LOGS_FIXTURE_H
#define PML_TESTS_RUNTIME_TRAIN_LOGS_LOGS_FIXTURE_H

#include "runtime/train/logs/train_log.h"
#include "tests/harness.h"

/* Steps first to last of a run of which the loss is 1/step + shift, evaluated at every second. */
static void log_steps(pml_train_log *log, pml_trainer_state *state, uint64_t first, uint64_t last, double shift) {
    pml_error error;
    for (uint64_t step = first; step <= last; step++) {
        const pml_log_value train[] = {{"loss", 1.0 / (double)step + shift}, {"learning_rate", 0.001}};
        const pml_log_value eval[] = {{"eval_loss", 2.0 / (double)step + shift}};
        state->global_step = step;
        state->epoch = (double)step / 2;
        PML_ASSERT_OK(pml_train_log_write(log, &(pml_log_record){step, state->epoch, train, 2}, &error), &error);
        if (step % 2 == 0) {
            PML_ASSERT_OK(pml_train_log_write(log, &(pml_log_record){step, state->epoch, eval, 1}, &error), &error);
        }
    }
}

/* A run that is killed behind step 5 without a flush, its last checkpoint being that of step 3, and resumed to step 6.
 */
static void killed_and_resumed(const char *folder, const char *forms) {
    pml_error error;
    pml_trainer_state state = {0}, checkpoint = {0};
    pml_train_log *log = NULL;
    const char *kept = pml_test_path("%s/kept.json", pml_test_temporary_dir());
    pml_train_log_setup setup = {.folder = folder, .state = &state, .forms = forms};
    PML_ASSERT_OK(pml_train_log_open(&setup, &log, &error), &error);
    log_steps(log, &state, 1, 3, 0);
    PML_ASSERT_OK(pml_trainer_state_write(&state, kept, &error), &error);
    log_steps(log, &state, 4, 5, 100);
    pml_train_log_close(log);
    log = NULL;
    pml_trainer_state_deinit(&state);
    PML_ASSERT_OK(pml_trainer_state_read(kept, &checkpoint, &error), &error);
    CU_ASSERT_EQUAL(checkpoint.global_step, 3);
    setup = (pml_train_log_setup){.folder = folder, .state = &checkpoint, .is_resumed = true, .forms = forms};
    PML_ASSERT_OK(pml_train_log_open(&setup, &log, &error), &error);
    log_steps(log, &checkpoint, 4, 6, 0);
    PML_ASSERT_OK(pml_train_log_flush(log, &error), &error);
    pml_train_log_close(log);
    pml_trainer_state_deinit(&checkpoint);
}

#endif
