#include "tests/runtime/train/train_case.h"

#include "runtime/pml.h"

typedef struct stop { /* when the run is to be ended */
    uint64_t at_step;
    bool by_cancel, seen;
} stop;

static pml_status watch(void *user, const pml_run_status *status, pml_error *fault) {
    stop *s = user;
    if (!s->seen && status->i_step == s->at_step && !status->is_evaluation) {
        s->seen = true;
        if (s->by_cancel) {
            pml_cancel_request(); /* the next safe place is inside of the evaluation, or of the next step */
            return PML_OK;
        }
        return PML_FAIL(fault, PML_E_IO, "stopped");
    }
    return PML_OK;
}

static pml_run_options options_of(const train_case *c, const char *folder, stop *s) {
    return (pml_run_options){.folder = folder,
                             .train = c->train,
                             .val = c->val,
                             .schedule = "cosine",
                             .recipe = "r",
                             .n_epochs = 3,
                             .save_every = 4,
                             .log_every = 3,
                             .watch = s == NULL ? NULL : watch,
                             .user = s};
}

static const pml_trainer_options trainer_options = {.optimizer = "adam:lr=0.02", .ema_decay = 0.8};

static void runs_go_on_to_the_same_bits(void) {
    train_case c;
    pml_run_result result;
    const char *whole = make_folder("whole");
    open_case(&c, "patchtst", patchtst_settings, NULL, &trainer_options);
    pml_run_options options = options_of(&c, whole, NULL);
    PML_ASSERT_OK(pml_train_run(c.trainer, &options, &result, &error), &error);
    CU_ASSERT_EQUAL(result.n_steps, 15);
    CU_ASSERT_TRUE(result.best_loss > 0 && result.best_step % 5 == 0);
    for (uint64_t step = 1; step < 15; step++) {
        train_case first, then;
        const char *folder = make_folder("stopped");
        stop s = {.at_step = step, .by_cancel = step % 3 != 0};
        open_case(&first, NULL, NULL, c.file, &trainer_options);
        options = options_of(&first, folder, &s);
        const pml_status status = pml_train_run(first.trainer, &options, &result, &error);
        CU_ASSERT_EQUAL(status, s.by_cancel ? PML_E_INTERRUPTED : PML_E_IO);
        pml_cancel_reset();
        close_case(&first, false);
        open_case(&then, NULL, NULL, c.file, &trainer_options);
        options = options_of(&then, folder, NULL);
        options.resume = true;
        PML_ASSERT_OK(pml_train_run(then.trainer, &options, &result, &error), &error);
        if (s.by_cancel) {
            CU_ASSERT_EQUAL(result.resumed_step, step); /* nothing was lost */
        }
        close_case(&then, false);
        CU_ASSERT_TRUE(same_file(pml_test_path("%s/model.pml", whole), pml_test_path("%s/model.pml", folder)));
        CU_ASSERT_TRUE(same_file(pml_test_path("%s/best.pml", whole), pml_test_path("%s/best.pml", folder)));
        CU_ASSERT_TRUE(
            same_file(pml_test_path("%s/checkpoint-15.pml", whole), pml_test_path("%s/checkpoint-15.pml", folder)));
    }
    close_case(&c, true);
}

/* ---- between the batches of a step ---- */
static const pml_dataset_type *real;
static size_t n_fetched;

/* Ends the run while the second batch of its second step is made. */
static pml_status fetch(const pml_dataset *dataset, size_t i_sample, const pml_data_key *key, void *const *values,
                        size_t *length, pml_error *fault) {
    if (++n_fetched == 3 * 8 + 1) {
        pml_cancel_request();
    }
    return real->fetch(dataset, i_sample, key, values, length, fault);
}

/* The first batch had moved the running statistics of batch norms. */
static void half_a_step_is_taken_back(void) {
    static const pml_trainer_options two = {.optimizer = "adam:lr=0.02", .n_accumulate = 2};
    train_case c, first, then;
    pml_run_result result;
    const char *whole = make_folder("whole"), *folder = make_folder("half");
    open_case(&c, "patchtst", patchtst_settings, NULL, &two);
    pml_run_options options = options_of(&c, whole, NULL);
    PML_ASSERT_OK(pml_train_run(c.trainer, &options, &result, &error), &error);
    open_case(&first, NULL, NULL, c.file, &two);
    real = first.data->type;
    const pml_dataset_type ending = {fetch, real->destroy};
    first.data->type = &ending;
    options = options_of(&first, folder, NULL);
    CU_ASSERT_EQUAL(pml_train_run(first.trainer, &options, &result, &error), PML_E_INTERRUPTED);
    pml_cancel_reset();
    close_case(&first, false);
    open_case(&then, NULL, NULL, c.file, &two);
    options = options_of(&then, folder, NULL);
    options.resume = true;
    PML_ASSERT_OK(pml_train_run(then.trainer, &options, &result, &error), &error);
    CU_ASSERT_EQUAL(result.resumed_step, 1);
    CU_ASSERT_TRUE(same_file(pml_test_path("%s/model.pml", whole), pml_test_path("%s/model.pml", folder)));
    close_case(&then, false);
    close_case(&c, true);
}

static void patience_ends_a_run(void) {
    train_case c;
    pml_run_result result;
    open_case(&c, "dlinear", dlinear_settings, NULL, &(pml_trainer_options){.optimizer = "sgd:lr=0.5"});
    pml_run_options options = options_of(&c, make_folder("patience"), NULL);
    options.n_epochs = 100;
    options.patience = 2;
    options.min_delta = 1e3; /* only the first is better than nothing */
    PML_ASSERT_OK(pml_train_run(c.trainer, &options, &result, &error), &error);
    CU_ASSERT_TRUE(result.is_early);
    CU_ASSERT_EQUAL(result.n_steps, 15); /* three evaluations */
    CU_ASSERT_EQUAL(result.best_step, 5);
    close_case(&c, true);
}

static void what_explodes_is_stopped(void) {
    train_case c;
    pml_run_result result;
    open_case(&c, "dlinear", dlinear_settings, NULL, &(pml_trainer_options){.optimizer = "sgd:lr=30"});
    pml_run_options options = options_of(&c, make_folder("explodes"), NULL);
    options.save_every = 1;
    options.n_epochs = 100;
    PML_ASSERT_FAILS(pml_train_run(c.trainer, &options, &result, &error), PML_E_NUMERIC, &error,
                     "the last good checkpoint is");
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "step "));
    close_case(&c, true);
}

static void ends_and_folders_are_checked(void) {
    train_case c;
    pml_run_result result;
    open_case(&c, "dlinear", dlinear_settings, NULL, &trainer_options);
    pml_run_options options = options_of(&c, make_folder("ends"), NULL);
    options.n_epochs = 0;
    PML_ASSERT_FAILS(pml_train_run(c.trainer, &options, &result, &error), PML_E_ARGUMENT, &error, "needs an end");
    options.n_epochs = 1;
    PML_ASSERT_OK(pml_train_run(c.trainer, &options, &result, &error), &error);
    PML_ASSERT_FAILS(pml_train_run(c.trainer, &options, &result, &error), PML_E_ARGUMENT, &error, "--resume");
    options.resume = true;
    options.recipe = "another";
    PML_ASSERT_FAILS(pml_train_run(c.trainer, &options, &result, &error), PML_E_MISMATCH, &error, "other options");
    options.recipe = "r"; /* it is over already: nothing is trained */
    PML_ASSERT_OK(pml_train_run(c.trainer, &options, &result, &error), &error);
    CU_ASSERT_EQUAL(result.resumed_step, 5);
    close_case(&c, true);
}

PML_TESTS("runtime/train/train_run", PML_TEST(runs_go_on_to_the_same_bits), PML_TEST(half_a_step_is_taken_back),
          PML_TEST(patience_ends_a_run), PML_TEST(what_explodes_is_stopped), PML_TEST(ends_and_folders_are_checked))
