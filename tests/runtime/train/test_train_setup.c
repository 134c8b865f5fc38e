/* A run of one description is not taken up by another. */
#include "runtime/train/train_setup.h"

#include <stdio.h>
#include <unistd.h>

#include "tests/harness.h"

static pml_error error;

static pml_train_setup setup_of(const char *folder) {
    static const char *const settings[] = {"context_length=24", "prediction_length=6"};
    static const pml_new_model fresh = {.family = "dlinear", .settings = settings, .n_settings = 2};
    static const char *data[1];
    data[0] = pml_test_path("%s/examples/hourly.csv", pml_test_source_dir());
    return (pml_train_setup){.fresh = &fresh,
                             .n_threads = 1,
                             .data = data,
                             .n_data = 1,
                             .folder = folder,
                             .trainer = {.optimizer = "sgd:lr=0.01"},
                             .n_steps = 4,
                             .save_every = 2};
}

/* Ends behind step 2. */
static pml_status stop(void *user, const pml_run_status *status, pml_error *fault) {
    (void)user;
    return status->i_step == 2 ? PML_FAIL(fault, PML_E_INTERRUPTED, "enough") : PML_OK;
}

static void other_options_are_another_run(void) {
    static const char *const groups[] = {"*:lr_scale=0.5"}, *const frozen[] = {"*bias"};
    const char *folder = pml_test_path("%s/setup", pml_test_temporary_dir());
    pml_run_result result;
    pml_train_setup setup = setup_of(folder);
    setup.watch = stop;
    CU_ASSERT_EQUAL(pml_train_setup_run(&setup, &result, &error), PML_E_INTERRUPTED);
    for (int i = 0; i < 5; i++) {
        setup = setup_of(folder);
        setup.resume = true;
        switch (i) {
        case 0:
            setup.trainer.groups = groups, setup.trainer.n_groups = 1;
            break;
        case 1:
            setup.frozen = frozen, setup.n_frozen = 1;
            break;
        case 2:
            setup.drop_last = true;
            break;
        case 3:
            setup.trainer.clip_norm = 1;
            break;
        default:
            setup.batch_size = 16;
            break;
        }
        PML_ASSERT_FAILS(pml_train_setup_run(&setup, &result, &error), PML_E_MISMATCH, &error, "other options");
    }
    setup = setup_of(folder);
    setup.resume = true; /* that a watcher ended the run cancels nothing else */
    PML_ASSERT_OK(pml_train_setup_run(&setup, &result, &error), &error);
    CU_ASSERT_EQUAL(result.resumed_step, 2);
    CU_ASSERT_EQUAL(result.n_steps, 4);
}

static void patterns_fit_something(void) {
    static const char *const frozen[] = {"*bias", "nobody"};
    pml_run_result result;
    pml_train_setup setup = setup_of(pml_test_path("%s/patterns", pml_test_temporary_dir()));
    setup.frozen = frozen;
    setup.n_frozen = 2;
    PML_ASSERT_FAILS(pml_train_setup_run(&setup, &result, &error), PML_E_ARGUMENT, &error, "nobody");
}

PML_TESTS("runtime/train/train_setup", PML_TEST(other_options_are_another_run), PML_TEST(patterns_fit_something))
