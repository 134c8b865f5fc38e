#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "tests/runtime/train/logs/logs_fixture.h"

/* Asks TensorBoard's own reader, where scripts/setup_client has put it. */
static void ask_tensorboard(const char *folder, const char *expected) {
    const char *python = pml_test_path("%s/tensorboard-client/bin/python", pml_test_binary_dir());
    char *output = NULL;
    if (access(python, X_OK) != 0) {
        pml_test_skip("no TensorBoard: scripts/setup_client tensorboard BUILD/tensorboard-client");
        return;
    }
    CU_ASSERT_EQUAL(pml_test_command(&output, "'%s' '%s/tests/runtime/train/logs/read_events.py' '%s'", python,
                                     pml_test_source_dir(), folder),
                    0);
    CU_ASSERT_STRING_EQUAL(output, expected);
    free(output);
}

static void tensorboard_reads_what_is_logged(void) {
    pml_error error;
    pml_trainer_state state = {0};
    pml_train_log *log = NULL;
    const char *folder = pml_test_fresh_dir("read");
    const pml_train_log_setup setup = {.folder = folder, .state = &state, .forms = "tensorboard"};
    PML_ASSERT_OK(pml_train_log_open(&setup, &log, &error), &error);
    const pml_log_value values[] = {{"loss", 0.5}, {"eval_loss", -1.0 / 0.0}, {"test_mse", 0.0 / 0.0}};
    PML_ASSERT_OK(pml_train_log_write(log, &(pml_log_record){1000, 1.5, values, 3}, &error), &error);
    ask_tensorboard(folder, "eval/loss 1000=-inf\ntest/mse 1000=nan\ntrain/epoch 1000=1.5\ntrain/loss 1000=0.5\n");
    pml_train_log_close(log);
    pml_trainer_state_deinit(&state);
}

static void tensorboard_forgets_what_a_resumed_run_does_again(void) {
    const char *folder = pml_test_fresh_dir("resumed");
    killed_and_resumed(folder, "tensorboard");
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 2);
    ask_tensorboard(folder, "eval/loss 2=1 4=0.5 6=0.333333\ntrain/epoch 1=0.5 2=1 2=1 3=1.5 4=2 4=2 5=2.5 6=3 6=3\n"
                            "train/learning_rate 1=0.001 2=0.001 3=0.001 4=0.001 5=0.001 6=0.001\n"
                            "train/loss 1=1 2=0.5 3=0.333333 4=0.25 5=0.2 6=0.166667\n");
}

static void a_new_run_in_the_folder_replaces_the_old_one(void) {
    const char *folder = pml_test_fresh_dir("again");
    for (int i = 0; i < 2; i++) {
        pml_error error;
        pml_trainer_state state = {0};
        pml_train_log *log = NULL;
        const pml_train_log_setup setup = {.folder = folder, .state = &state, .forms = "tensorboard"};
        PML_ASSERT_OK(pml_train_log_open(&setup, &log, &error), &error);
        log_steps(log, &state, 1, i == 0 ? 3 : 1, 0);
        pml_train_log_close(log);
        pml_trainer_state_deinit(&state);
    }
    ask_tensorboard(folder, "train/epoch 1=0.5\ntrain/learning_rate 1=0.001\ntrain/loss 1=1\n");
}

/* What can be checked without TensorBoard: names that sort in the order of writing, and how a file begins. */
static void files_are_named_and_begin_as_readers_expect(void) {
    const char *folder = pml_test_fresh_dir("names");
    struct dirent **entries = NULL;
    killed_and_resumed(folder, "tensorboard");
    const int n = scandir(folder, &entries, NULL, alphasort);
    size_t sizes[2] = {0, 0}, n_files = 0;
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.' && n_files < 2) {
            CU_ASSERT_EQUAL(strncmp(entries[i]->d_name, "events.out.tfevents.", 20), 0);
            unsigned char *bytes =
                pml_test_read_file(pml_test_path("%s/%s", folder, entries[i]->d_name), &sizes[n_files++]);
            CU_ASSERT_EQUAL(memcmp(bytes + 12 + 9 + 2, "brain.Event:2", 13), 0);
            free(bytes);
        }
        free(entries[i]);
    }
    free(entries);
    CU_ASSERT_EQUAL(n_files, 2);
    CU_ASSERT_TRUE(sizes[0] > sizes[1]);
}

PML_TESTS("runtime/train/logs/tensorboard", PML_TEST(tensorboard_reads_what_is_logged),
          PML_TEST(tensorboard_forgets_what_a_resumed_run_does_again),
          PML_TEST(a_new_run_in_the_folder_replaces_the_old_one), PML_TEST(files_are_named_and_begin_as_readers_expect))
