/* pml-run selftest: the vectors that a file carries, computed on this machine. */
#include <math.h>
#include <stdio.h>

#include "runtime/base/alloc.h"
#include "runtime/cli/describe.h"
#include "runtime/cli/run_commands.h"
#include "runtime/file/reader.h"
#include "runtime/models/selftest.h"

typedef struct selftest_options {
    pml_common_options common;
    pml_model_options model;
} selftest_options;

static const pml_option option_table[] = {PML_UNADAPTED_OPTION_ROWS(selftest_options), PML_OPTION_ROWS_END};

static pml_status print_json(const char *path, const pml_selftest_report *report, pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "file", path);
    pml_json_bool(&w, "passed", report->n_failed == 0);
    pml_selftest_json(&w, "outputs", report);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static void print_text(const pml_selftest_report *report) {
    for (size_t i = 0; i < report->count; i++) {
        const pml_selftest_result *result = &report->results[i];
        if (isnan(result->max_error)) {
            (void)printf("%-24s FAILED  the model has no such output\n", result->name);
        } else {
            (void)printf("%-24s %s  %s %.3g, allowed %.3g\n", result->name, result->passed ? "passed" : "FAILED",
                         result->by_rms ? "relative RMS error" : "greatest error",
                         result->by_rms ? result->relative_rms : result->max_error, result->allowed);
        }
    }
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const selftest_options *o = options;
    pml_status status = PML_OK;
    pml_loaded loaded = {0};
    pml_vector *vectors = NULL;
    size_t n_vectors = 0;
    pml_selftest_report report = {0};
    const char *path = operands[0];
    (void)n_operands;
    PML_TRY(pml_loaded_open(path, &o->model, &loaded, error));
    const pml_file_blob *blob = pml_file_blob_find(loaded.file, "selftest");
    if (blob == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                         "%s carries no self-test; convert it with --embed-selftest to give it one", path));
    }
    PML_TRY(pml_selftest_decode(blob->data, (size_t)blob->size_bytes, path, &vectors, &n_vectors, error));
    PML_TRY(pml_selftest_run(loaded.model, vectors, n_vectors, &report, error));
    if (report.count == 0) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: its self-test records no output to compare with", path));
    }
    if (o->common.json) {
        PML_TRY(print_json(path, &report, error));
    } else {
        print_text(&report);
    }
    if (report.n_failed > 0) {
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "%s: %zu of %zu outputs differ from the recorded ones", path,
                         report.n_failed, report.count));
    }
done:
    pml_selftest_report_deinit(&report);
    pml_free(vectors);
    pml_loaded_close(&loaded);
    return status;
}

const pml_command pml_cmd_run_selftest = {
    .name = "selftest",
    .operands = "FILE",
    .summary = "Compare this machine's results with those recorded in FILE",
    .examples = "pml-run selftest model.pml\npml-run selftest model.pml --backend cpu --json",
    .options = option_table,
    .options_bytes = sizeof(selftest_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
