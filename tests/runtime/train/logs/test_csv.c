#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/runtime/train/logs/logs_fixture.h"

static void a_line_per_record_and_a_column_per_name(void) {
    pml_error error;
    pml_trainer_state state = {0};
    pml_train_log *log = NULL;
    const char *folder = pml_test_fresh_dir("csv");
    const char *path = pml_test_path("%s/log.csv", folder);
    const pml_train_log_setup setup = {.folder = folder, .state = &state, .forms = "csv"};
    PML_ASSERT_OK(pml_train_log_open(&setup, &log, &error), &error);
    CU_ASSERT_TRUE(pml_test_file_holds(path, "step,epoch\n"));
    const pml_log_value train[] = {{"loss", 0.5}, {"learning_rate", 1e-05}};
    const pml_log_value eval[] = {{"eval_loss", INFINITY}, {"a,\"b\"", -INFINITY}, {"loss", NAN}};
    PML_ASSERT_OK(pml_train_log_write(log, &(pml_log_record){1, 0.25, train, 2}, &error), &error);
    CU_ASSERT_TRUE(pml_test_file_holds(path, "step,epoch,loss,learning_rate\n1,0.25,0.5,1e-05\n"));
    PML_ASSERT_OK(pml_train_log_write(log, &(pml_log_record){2, 0.5, eval, 3}, &error), &error);
    PML_ASSERT_OK(pml_train_log_write(log, &(pml_log_record){2, 0.5, train, 1}, &error), &error);
    CU_ASSERT_TRUE(pml_test_file_holds(path, "step,epoch,loss,learning_rate,eval_loss,\"a,\"\"b\"\"\"\n"
                                             "1,0.25,0.5,1e-05,,\n2,0.5,nan,,inf,-inf\n2,0.5,0.5,,,\n"));
    pml_train_log_close(log);
    pml_trainer_state_deinit(&state);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 1);
}

/* Names that were read from a state come in its order, which is the alphabet's. */
static void a_resumed_run_forgets_what_it_does_again(void) {
    const char *folder = pml_test_fresh_dir("resumed");
    killed_and_resumed(folder, "csv");
    CU_ASSERT_TRUE(pml_test_file_holds(pml_test_path("%s/log.csv", folder),
                                       "step,epoch,learning_rate,loss,eval_loss\n1,0.5,0.001,1,\n2,1,0.001,0.5,\n"
                                       "2,1,,,1\n3,1.5,0.001,0.3333333333333333,\n4,2,0.001,0.25,\n4,2,,,0.5\n"
                                       "5,2.5,0.001,0.2,\n6,3,0.001,0.16666666666666666,\n6,3,,,0.3333333333333333\n"));
}

static void a_folder_that_is_not_there(void) {
    pml_error error;
    pml_trainer_state state = {0};
    pml_train_log *log = NULL;
    const pml_train_log_setup setup = {
        .folder = pml_test_path("%s/none", pml_test_temporary_dir()), .state = &state, .forms = "csv"};
    PML_ASSERT_FAILS(pml_train_log_open(&setup, &log, &error), PML_E_IO, &error, "none");
    CU_ASSERT_PTR_NULL(log);
}

PML_TESTS("runtime/train/logs/csv", PML_TEST(a_line_per_record_and_a_column_per_name),
          PML_TEST(a_resumed_run_forgets_what_it_does_again), PML_TEST(a_folder_that_is_not_there))
