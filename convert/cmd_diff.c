/* pml-convert diff: how two .pml files differ. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "convert/commands.h"
#include "convert/diff.h"
#include "convert/diff_print.h"

typedef struct diff_options {
    pml_common_options common;
    const char *atol;
    const char *rtol;
} diff_options;

/* A finite number >= 0, or 0 when the option was not given. */
static pml_status read_tolerance(const char *name, const char *text, double *value, pml_error *error) {
    *value = 0;
    if (text == NULL) {
        return PML_OK;
    }
    char *end = NULL;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(number) || number < 0) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--%s wants a number of at least 0, not \"%s\"", name, text);
    }
    *value = number;
    return PML_OK;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    (void)n_operands;
    const diff_options *given = options;
    pml_status status = PML_OK;
    pml_file *a = NULL, *b = NULL;
    pml_diff_report report = {0};
    pml_diff_options compare = {.by_value = given->atol != NULL || given->rtol != NULL};
    PML_TRY(read_tolerance("atol", given->atol, &compare.atol, error));
    PML_TRY(read_tolerance("rtol", given->rtol, &compare.rtol, error));
    PML_TRY(pml_file_open(operands[0], &a, error));
    PML_TRY(pml_file_open(operands[1], &b, error));
    PML_TRY(pml_diff_files(a, b, &compare, &report, error));
    PML_TRY(pml_diff_print(a, b, &compare, &report, given->common.json, stdout, error));
    if (report.differs) {
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "%s and %s differ", operands[0], operands[1]));
    }
done:
    pml_diff_report_deinit(&report);
    pml_file_close(b);
    pml_file_close(a);
    return status;
}

static const pml_option options[] = {
    {"atol", 0, PML_OPTION_TEXT, "X", NULL, "compare by value: numbers up to X apart are equal",
     offsetof(diff_options, atol)},
    {"rtol", 0, PML_OPTION_TEXT, "Y", NULL, "compare by value: numbers up to Y * |b| apart are equal",
     offsetof(diff_options, rtol)},
    {0},
};

const pml_command pml_cmd_diff = {
    .name = "diff",
    .operands = "A B",
    .summary = "Compare two .pml files: metadata, shapes, dtypes, layouts and numbers",
    .examples = "pml-convert diff old.pml new.pml\n"
                "pml-convert diff --rtol 1e-2 model-f32.pml model-bf16.pml",
    .options = options,
    .options_bytes = sizeof(diff_options),
    .least_operands = 2,
    .most_operands = 2,
    .run = run,
};
