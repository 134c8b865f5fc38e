#include "runtime/train/logs/log_history.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/limits.h"
#include "tests/harness.h"

static void keeps_records_and_the_order_of_names(void) {
    pml_error error;
    pml_log_history h = {0};
    double value = 0;
    const pml_log_value train[] = {{"loss", 0.5}, {"grad_norm", NAN}}, eval[] = {{"eval_loss", 0.25}, {"loss", 1}};
    PML_ASSERT_OK(pml_log_history_add(&h, &(pml_log_record){10, 0.5, train, 2}, &error), &error);
    PML_ASSERT_OK(pml_log_history_add(&h, &(pml_log_record){20, 1, eval, 2}, &error), &error);
    PML_ASSERT_OK(pml_log_history_add(&h, &(pml_log_record){30, 1, NULL, 0}, &error), &error);
    CU_ASSERT_EQUAL(h.n_entries, 3);
    CU_ASSERT_EQUAL(pml_names_count(&h.names), 3);
    CU_ASSERT_STRING_EQUAL(pml_names_at(&h.names, 2), "eval_loss");
    const pml_log_record first = pml_log_history_at(&h, 0), second = pml_log_history_at(&h, 1);
    CU_ASSERT_EQUAL(first.step, 10);
    CU_ASSERT_TRUE(pml_log_record_find(&first, "grad_norm", &value) && isnan(value));
    CU_ASSERT_TRUE(pml_log_record_find(&second, "loss", &value) && value == 1);
    CU_ASSERT_FALSE(pml_log_record_find(&second, "grad_norm", &value));
    CU_ASSERT_EQUAL(pml_log_history_at(&h, 2).n_values, 0);
    pml_log_history_deinit(&h);
}

static void refuses_what_readers_could_not_tell_apart(void) {
    static const char *const bad[] = {"", "step", "epoch", "loss"};
    pml_error error;
    pml_log_history h = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const pml_log_value values[] = {{"loss", 0}, {bad[i], 0}};
        PML_ASSERT_FAILS(pml_log_history_add(&h, &(pml_log_record){1, 0, values, 2}, &error), PML_E_ARGUMENT, &error,
                         bad[i]);
    }
    static pml_log_value many[PML_MAX_LOG_VALUES + 1];
    static char names[PML_MAX_LOG_VALUES + 1][16];
    for (size_t i = 0; i <= PML_MAX_LOG_VALUES; i++) {
        (void)snprintf(names[i], sizeof names[i], "v%zu", i);
        many[i].name = names[i];
    }
    PML_ASSERT_FAILS(pml_log_history_add(&h, &(pml_log_record){1, 0, many, PML_MAX_LOG_VALUES + 1}, &error),
                     PML_E_ARGUMENT, &error, "at most 256");
    PML_ASSERT_OK(pml_log_history_add(&h, &(pml_log_record){1, 0, many, PML_MAX_LOG_VALUES}, &error), &error);
    CU_ASSERT_EQUAL(h.n_entries, 1);
    pml_log_history_deinit(&h);
}

PML_TESTS("runtime/train/logs/log_history", PML_TEST(keeps_records_and_the_order_of_names),
          PML_TEST(refuses_what_readers_could_not_tell_apart))
