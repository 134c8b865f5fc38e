/* The recorded test errors of a trained model, on the real series: every window, end to end. One program per model, so
 * that they run side by side. */
#ifndef PML_TESTS_RUNTIME_CLI_EVALUATE_CASE_H
#define PML_TESTS_RUNTIME_CLI_EVALUATE_CASE_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/harness.h"

static double number_after(const char *text, const char *key) {
    const char *at = strstr(text, key);
    return at != NULL ? strtod(at + strlen(key), NULL) : NAN;
}

static void matches_the_recorded_errors(const char *name) {
    const char *golden = pml_test_golden(name), *csv = pml_test_data("ETT/ETTh1.csv");
    if (golden == NULL || csv == NULL) {
        pml_test_skip(golden == NULL ? "the golden checkpoint is absent" : "PML_DATA is not set");
        return;
    }
    char *output = NULL;
    size_t size_bytes = 0;
    const char *model = pml_test_path("%s/%s.pml", pml_test_temporary_dir(), strrchr(name, '/') + 1);
    char *recorded = (char *)pml_test_read_file(pml_test_path("%s/case.json", golden), &size_bytes);
    CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL, "'%s/pml-convert' '%s' -o '%s'", pml_test_binary_dir(), golden, model),
                          0);
    int code = pml_test_command(&output, "'%s/pml-run' evaluate '%s' --csv '%s' --split ett-hour --json",
                                pml_test_binary_dir(), model, csv);
    if (code != 0) {
        (void)printf("\n    %s", output);
    }
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_DOUBLE_EQUAL(number_after(output, "\"mse\": "), number_after(recorded, "\"test_mse\": "), 1e-4);
    CU_ASSERT_DOUBLE_EQUAL(number_after(output, "\"mae\": "), number_after(recorded, "\"test_mae\": "), 1e-4);
    CU_ASSERT_EQUAL(number_after(output, "\"windows\": "), number_after(recorded, "\"test_windows\": "));
    free(output);
    free(recorded);
}

/* The same of the checkpoint as its trainer leaves it: a state_dict in a folder that is named by the run's arguments.
 */
static inline void matches_by_its_runs_name(const char *name, const char *run, const char *settings) {
    const char *golden = pml_test_golden(name), *csv = pml_test_data("ETT/ETTh1.csv");
    if (golden == NULL || csv == NULL) {
        pml_test_skip(golden == NULL ? "the golden checkpoint is absent" : "PML_DATA is not set");
        return;
    }
    char *output = NULL;
    size_t size_bytes = 0;
    const char *folder = pml_test_path("%s/%s", pml_test_temporary_dir(), run);
    const char *model = pml_test_path("%s/of-a-run.pml", pml_test_temporary_dir());
    char *recorded = (char *)pml_test_read_file(pml_test_path("%s/case.json", golden), &size_bytes);
    CU_ASSERT_EQUAL_FATAL(
        pml_test_command(NULL,
                         "mkdir '%s' && cp '%s/checkpoint.pth' '%s' && '%s/pml-convert' '%s/checkpoint.pth' %s -o '%s'",
                         folder, golden, folder, pml_test_binary_dir(), folder, settings, model),
        0);
    CU_ASSERT_EQUAL(pml_test_command(&output, "'%s/pml-run' evaluate '%s' --csv '%s' --split ett-hour --json",
                                     pml_test_binary_dir(), model, csv),
                    0);
    CU_ASSERT_DOUBLE_EQUAL(number_after(output, "\"mse\": "), number_after(recorded, "\"test_mse\": "), 1e-4);
    free(output);
    free(recorded);
}

#endif
