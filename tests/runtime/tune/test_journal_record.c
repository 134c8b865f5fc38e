#include "runtime/tune/journal_record.h"

#include <math.h>
#include <string.h>

#include "tests/harness.h"

#define FLOAT_0_1                                                                                                      \
    "{\\\"name\\\": \\\"FloatDistribution\\\", \\\"attributes\\\": {\\\"step\\\": null, \\\"low\\\": 0.0, "            \
    "\\\"high\\\": 1.0, \\\"log\\\": false}}"

static pml_status read(const char *line, pml_journal_record *record, pml_error *error) {
    *error = (pml_error){0};
    return pml_journal_record_read(line, strlen(line), "j", record, error);
}

static void reads_what_optuna_writes(void) {
    pml_error error;
    pml_journal_record r;
    PML_ASSERT_OK(read("{\"op_code\":0,\"worker_id\":\"a\",\"study_name\":\"s\",\"directions\":[2]}", &r, &error),
                  &error);
    CU_ASSERT_STRING_EQUAL(r.study_name, "s");
    CU_ASSERT_EQUAL(r.directions[0], PML_STUDY_MAXIMIZE);
    pml_journal_record_deinit(&r);
    PML_ASSERT_OK(
        read("{\"op_code\":5,\"worker_id\":\"a\",\"trial_id\":3,\"param_value_internal\":0.5,\"param_name\":\"x\","
             "\"distribution\":\"" FLOAT_0_1 "\"}",
             &r, &error),
        &error);
    CU_ASSERT_STRING_EQUAL(r.parameters[0].name, "x");
    CU_ASSERT_EQUAL(r.parameters[0].value, 0.5);
    CU_ASSERT_EQUAL(r.parameters[0].distribution.high, 1);
    pml_journal_record_deinit(&r);
    PML_ASSERT_OK(
        read("{\"op_code\":7,\"worker_id\":\"a\",\"trial_id\":3,\"step\":4,\"intermediate_value\":NaN}", &r, &error),
        &error);
    CU_ASSERT_TRUE(r.reports[0].step == 4 && isnan(r.reports[0].value));
    pml_journal_record_deinit(&r);
    PML_ASSERT_OK(read("{\"op_code\":6,\"worker_id\":\"a\",\"trial_id\":3,\"state\":1,\"values\":[-Infinity],"
                       "\"datetime_complete\":\"2026-01-01T00:00:00.000000+00:00\"}",
                       &r, &error),
                  &error);
    CU_ASSERT_TRUE(r.state == PML_TRIAL_COMPLETE && r.n_values == 1 && r.value == -(double)INFINITY);
    pml_journal_record_deinit(&r);
    PML_ASSERT_OK(
        read("{\"op_code\":4,\"worker_id\":\"a\",\"study_id\":0,\"datetime_start\":null,\"state\":4,\"value\":null,"
             "\"values\":null,\"distributions\":{\"x\":\"" FLOAT_0_1 "\"},\"params\":{\"x\":0.25},"
             "\"user_attrs\":{\"u\":{\"deep\":[1,NaN]}},\"system_attrs\":{\"failed_trial\":0},"
             "\"intermediate_values\":{\"3\":1.5}}",
             &r, &error),
        &error);
    CU_ASSERT_TRUE(r.has_state && r.state == PML_TRIAL_WAITING && r.n_parameters == 1 && r.reports[0].step == 3);
    CU_ASSERT_STRING_EQUAL(pml_attributes_find(&r.user, "u"), "{\"deep\":[1,NaN]}");
    CU_ASSERT_STRING_EQUAL(pml_attributes_find(&r.system, "failed_trial"), "0");
    pml_journal_record_deinit(&r);
}

static void refuses_what_is_not_whole(void) {
    static const struct {
        const char *line;
        pml_status status;
    } cases[] = {
        {"", PML_E_FORMAT},
        {"[]", PML_E_FORMAT},
        {"{}", PML_E_FORMAT},
        {"{\"op_code\":0}", PML_E_FORMAT},
        {"{\"op_code\":11,\"worker_id\":\"a\"}", PML_E_UNSUPPORTED},
        {"{\"op_code\":0,\"worker_id\":\"a\",\"study_name\":\"s\",\"directions\":[]}", PML_E_FORMAT},
        {"{\"op_code\":0,\"worker_id\":\"a\",\"study_name\":\"s\",\"directions\":[3]}", PML_E_FORMAT},
        {"{\"op_code\":4,\"worker_id\":\"a\",\"study_id\":-1}", PML_E_FORMAT},
        {"{\"op_code\":4,\"worker_id\":\"a\",\"study_id\":0,\"params\":{\"x\":1}}", PML_E_FORMAT},
        {"{\"op_code\":6,\"worker_id\":\"a\",\"trial_id\":0,\"state\":5}", PML_E_FORMAT},
        {"{\"op_code\":7,\"worker_id\":\"a\",\"trial_id\":0}", PML_E_FORMAT},
        {"{\"op_code\":5,\"worker_id\":\"a\",\"trial_id\":0,\"param_name\":\"x\",\"param_value_internal\":2,"
         "\"distribution\":\"{\\\"name\\\":\\\"CategoricalDistribution\\\",\\\"attributes\\\":{\\\"choices\\\":[1,2]}}"
         "\"}",
         PML_E_FORMAT},
        {"{\"op_code\":5,\"worker_id\":\"a\",\"trial_id\":0,\"param_name\":\"x\",\"param_value_internal\":2,"
         "\"distribution\":\"{\\\"name\\\":\\\"OtherDistribution\\\",\\\"attributes\\\":{}}\"}",
         PML_E_UNSUPPORTED},
        {"{\"op_code\":1,\"worker_id\":\"a\",\"study_id\":0} x", PML_E_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_error error;
        pml_journal_record r;
        PML_ASSERT_FAILS(read(cases[i].line, &r, &error), cases[i].status, &error, "");
        pml_journal_record_deinit(&r);
    }
}

/* Memory that runs out at any point leaves nothing behind. */
static void survives_failing_allocations(void) {
    static const char line[] =
        "{\"op_code\":4,\"worker_id\":\"a\",\"study_id\":0,\"datetime_start\":null,\"distributions\":{\"x\":"
        "\"" FLOAT_0_1 "\"},\"params\":{\"x\":0.25},\"user_attrs\":{\"u\":[1]},\"intermediate_values\":{\"3\":1.5}}";
    for (unsigned long n = 1; n < 200; n++) {
        pml_error error;
        pml_journal_record r = {0};
        pml_test_fail_allocation(n, false);
        const pml_status status = read(line, &r, &error);
        pml_test_fail_allocation(0, false);
        pml_journal_record_deinit(&r);
        if (status == PML_OK) {
            CU_ASSERT_TRUE(n > 5);
            return;
        }
        CU_ASSERT_EQUAL(status, PML_E_MEMORY);
    }
    CU_FAIL("it never succeeded");
}

PML_TESTS("runtime/tune/journal_record", PML_TEST(reads_what_optuna_writes), PML_TEST(refuses_what_is_not_whole),
          PML_TEST(survives_failing_allocations))
