#include "runtime/train/logs/trainer_state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness.h"

#define GOLDEN "%s/tests/goldens/train/trainer_state.json" /* scripts/make_golden_trainer_state.py */

static void read_golden(pml_trainer_state *state) {
    pml_error error;
    PML_ASSERT_OK(pml_trainer_state_read(pml_test_path(GOLDEN, pml_test_source_dir()), state, &error), &error);
}

static void hugging_faces_file_is_understood(void) {
    pml_trainer_state s = {0};
    double value = 0;
    read_golden(&s);
    CU_ASSERT_TRUE(s.epoch == 2 && s.global_step == 40 && s.max_steps == 60 && s.num_train_epochs == 3);
    CU_ASSERT_TRUE(s.logging_steps == 10 && s.eval_steps == 20 && s.save_steps == 20 && s.train_batch_size == 32);
    CU_ASSERT_TRUE(s.total_flos == 1.5e12 && s.has_best && s.best_metric == 0.375 && s.best_global_step == 20);
    CU_ASSERT_STRING_EQUAL(s.best_model_checkpoint, "out/checkpoint-20");
    CU_ASSERT_TRUE(s.has_early_stopping && s.early_stopping_patience == 3 && s.early_stopping_patience_counter == 1);
    CU_ASSERT_TRUE(s.early_stopping_threshold == 0.001 && !s.is_stopping);
    CU_ASSERT_EQUAL_FATAL(s.log_history.n_entries, 6);
    const pml_log_record second = pml_log_history_at(&s.log_history, 1), fourth = pml_log_history_at(&s.log_history, 3);
    CU_ASSERT_TRUE(second.step == 20 && second.epoch == 1 && second.n_values == 3);
    CU_ASSERT_TRUE(pml_log_record_find(&second, "grad_norm", &value) && isnan(value));
    CU_ASSERT_TRUE(pml_log_record_find(&fourth, "loss", &value) && isinf(value));
    pml_trainer_state_deinit(&s);
}

/* Every byte: the order of members, the spelling of numbers, NaN, indentation. */
static void what_was_read_is_written_as_it_was(void) {
    pml_error error;
    pml_trainer_state s = {0};
    const char *path = pml_test_path("%s/state.json", pml_test_temporary_dir());
    size_t golden_bytes = 0;
    read_golden(&s);
    PML_ASSERT_OK(pml_trainer_state_write(&s, path, &error), &error);
    unsigned char *golden = pml_test_read_file(pml_test_path(GOLDEN, pml_test_source_dir()), &golden_bytes);
    CU_ASSERT_TRUE(pml_test_file_holds(path, (const char *)golden));
    free(golden);
    pml_trainer_state_deinit(&s);
}

static void a_run_that_has_not_begun(void) {
    pml_error error;
    pml_trainer_state s = {0}, back = {0};
    const char *path = pml_test_path("%s/begun.json", pml_test_temporary_dir());
    PML_ASSERT_OK(pml_trainer_state_write(&s, path, &error), &error);
    PML_ASSERT_OK(pml_trainer_state_read(path, &back, &error), &error);
    CU_ASSERT_FALSE(back.has_best);
    CU_ASSERT_FALSE(back.has_early_stopping);
    CU_ASSERT_PTR_NULL(back.best_model_checkpoint);
    CU_ASSERT_EQUAL(back.log_history.n_entries, 0);
    back.global_step = 7;
    PML_ASSERT_OK(pml_trainer_state_set_best(&back, 0.5, "a", &error), &error);
    PML_ASSERT_OK(pml_trainer_state_set_best(&back, 0.25, NULL, &error), &error);
    CU_ASSERT_TRUE(back.has_best && back.best_metric == 0.25 && back.best_global_step == 7);
    CU_ASSERT_PTR_NULL(back.best_model_checkpoint);
    pml_trainer_state_deinit(&back);
    pml_trainer_state_deinit(&s);
}

static void hostile_files_are_refused_with_their_place(void) {
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "x.json:1:1"},
        {"[]", "the state of a trainer"},
        {"{}", "no log_history"},
        {"{\"log_history\": {}}", "a list of records"},
        {"{\"log_history\": [1]}", "a record is an object"},
        {"{\"log_history\": [\n{\"loss\": 1}]}", "x.json:2:11: a record without a step"},
        {"{\"log_history\": [{\"step\": 1.5}]}", "a step is one whole number"},
        {"{\"log_history\": [{\"step\": -1}]}", "a step is one whole number"},
        {"{\"log_history\": [{\"step\": 1, \"step\": 2}]}", "a step is one whole number"},
        {"{\"log_history\": [{\"step\": 1, \"epoch\": 1, \"epoch\": 2}]}", "a key twice"},
        {"{\"log_history\": [{\"step\": 1, \"loss\": 1, \"loss\": 2}]}", "a key twice"},
        {"{\"log_history\": [{\"step\": 1, \"\": 2}]}", "an empty one"},
        {"{\"log_history\": [], \"log_history\": []}", "a key twice"},
        {"{\"log_history\": [], \"epoch\": \"x\"}", "a number or null"},
        {"{\"log_history\": [], \"max_steps\": 0.5}", "a whole number"},
        {"{\"log_history\": [], \"max_steps\": NaN}", "a whole number"},
        {"{\"log_history\": [], \"max_steps\": 1, \"max_steps\": 1}", "a key twice"},
        {"{\"log_history\": [], \"best_model_checkpoint\": 1}", "a path or null"},
        {"{\"log_history\": [], \"stateful_callbacks\": {\"E\": {\"early_stopping_patience\": []}}}", "number or null"},
        {"{\"log_history\": []} {}", "text after the end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_error error = {0};
        pml_trainer_state s = {0};
        PML_ASSERT_FAILS(pml_trainer_state_parse(cases[i].text, strlen(cases[i].text), "x.json", &s, &error),
                         PML_E_FORMAT, &error, cases[i].part);
        pml_trainer_state_deinit(&s);
    }
}

static void what_is_not_ours_is_passed_over(void) {
    static const char text[] = "{\"other\": {\"log_history\": 1}, \"stateful_callbacks\": null, \"max_steps\": 5.0,"
                               " \"log_history\": [{\"step\": 3, \"note\": \"x\", \"list\": [{}], \"loss\": 2}]}";
    pml_error error;
    pml_trainer_state s = {0};
    PML_ASSERT_OK(pml_trainer_state_parse(text, strlen(text), "x", &s, &error), &error);
    CU_ASSERT_EQUAL(s.max_steps, 5);
    CU_ASSERT_EQUAL_FATAL(s.log_history.n_entries, 1);
    CU_ASSERT_EQUAL(pml_log_history_at(&s.log_history, 0).n_values, 1);
    pml_trainer_state_deinit(&s);
}

static void records_without_values_are_records(void) {
    static const char text[] = "{\"log_history\": [{\"step\": 2}]}";
    const char *path = pml_test_path("%s/empty.json", pml_test_temporary_dir());
    pml_error error;
    pml_trainer_state s = {0};
    PML_ASSERT_OK(pml_trainer_state_parse(text, strlen(text), "x", &s, &error), &error);
    CU_ASSERT_TRUE(s.log_history.n_entries == 1 && pml_log_history_at(&s.log_history, 0).step == 2);
    PML_ASSERT_OK(pml_trainer_state_write(&s, path, &error), &error);
    pml_trainer_state_deinit(&s);
}

static void survives_failing_allocations(void) {
    const char *path = pml_test_path("%s/failing.json", pml_test_temporary_dir());
    pml_status status = PML_E_MEMORY;
    unsigned long n = 1;
    for (; status != PML_OK && n < 1000; n++) {
        pml_error error;
        pml_trainer_state s = {0};
        pml_test_fail_allocation(n, false);
        status = pml_trainer_state_read(pml_test_path(GOLDEN, pml_test_source_dir()), &s, &error);
        if (status == PML_OK) {
            status = pml_trainer_state_write(&s, path, &error);
        }
        pml_test_fail_allocation(0, false);
        CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
        pml_trainer_state_deinit(&s);
    }
    CU_ASSERT_TRUE(n > 5 && n < 1000);
}

PML_TESTS("runtime/train/logs/trainer_state", PML_TEST(hugging_faces_file_is_understood),
          PML_TEST(what_was_read_is_written_as_it_was), PML_TEST(a_run_that_has_not_begun),
          PML_TEST(hostile_files_are_refused_with_their_place), PML_TEST(what_is_not_ours_is_passed_over),
          PML_TEST(records_without_values_are_records), PML_TEST(survives_failing_allocations))
