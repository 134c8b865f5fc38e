/* pml-convert selftest: a model against recorded vectors, by the rule of runtime/models/selftest.h. */
#include <stddef.h>

#include "convert/commands.h"
#include "convert/selftest_io.h"
#include "convert/text_table.h"
#include "runtime/cli/describe.h"

typedef struct selftest_options {
    pml_common_options common;
    const char *io_path;
    const char *out_path;
    const char *backend;
} selftest_options;

static pml_status print_json(const char *path, const pml_selftest_report *report, pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "path", path);
    pml_json_u64(&w, "n_outputs", report->count);
    pml_json_u64(&w, "n_failed", report->n_failed);
    pml_json_bool(&w, "passed", report->n_failed == 0);
    pml_selftest_json(&w, "outputs", report);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static pml_status print_text(const pml_selftest_report *report, pml_error *error) {
    pml_status status = PML_OK;
    pml_text_table table;
    pml_text_table_init(&table, 6, 1u << 1 | 1u << 2 | 1u << 3);
    static const char *const title[] = {"output", "max error", "rel RMS", "allowed", "judged by", "verdict"};
    PML_TRY(pml_text_table_row(&table, title, error));
    for (size_t i = 0; i < report->count; i++) {
        const pml_selftest_result *result = &report->results[i];
        char max_error[32], rms[32], allowed[32];
        snprintf(max_error, sizeof max_error, "%.3e", result->max_error);
        snprintf(rms, sizeof rms, "%.3e", result->relative_rms);
        snprintf(allowed, sizeof allowed, "%.3e", result->allowed);
        const char *cells[] = {result->name,
                               max_error,
                               rms,
                               allowed,
                               result->by_rms ? "rel RMS" : "max error",
                               result->passed ? "pass" : "FAIL"};
        PML_TRY(pml_text_table_row(&table, cells, error));
    }
    if (report->count > 0) {
        pml_text_table_print(&table, stdout, 0);
    }
    printf("%zu outputs compared, %zu failed\n", report->count, report->n_failed);
done:
    pml_text_table_deinit(&table);
    return status;
}

/* Neither the model nor the vectors may be written over. */
static pml_status check_out(const char *out_path, const char *model_path, const pml_source *vectors, pml_error *error) {
    pml_status status = PML_OK;
    const char *const named[] = {model_path, pml_source_path(vectors)};
    PML_TRY(pml_cli_check_output("out", out_path, named, 2, error));
    for (size_t i = 0; i < pml_source_n_files(vectors); i++) {
        const char *const file = pml_source_file_path(vectors, i);
        PML_TRY(pml_cli_check_output("out", out_path, &file, 1, error));
    }
done:
    return status;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    (void)n_operands;
    const selftest_options *given = options;
    pml_status status = PML_OK;
    pml_file *file = NULL;
    pml_model *model = NULL;
    pml_selftest_io io = {0};
    pml_selftest_report report = {0};
    if (given->io_path == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "selftest needs recorded vectors: --io FILE"));
    }
    PML_TRY(pml_cli_check_backend(given->backend, error));
    PML_TRY(pml_file_open(operands[0], &file, error));
    PML_TRY(pml_selftest_io_open(given->io_path, &io, error));
    if (given->out_path != NULL) {
        PML_TRY(check_out(given->out_path, operands[0], io.source, error));
    }
    PML_TRY(pml_model_create(file, given->backend, &model, error));
    pml_selftest_io_narrow(&io, model);
    PML_TRY(pml_selftest_run(model, io.vectors, io.n_vectors, &report, error));
    if (given->out_path != NULL) {
        PML_TRY(pml_selftest_io_write(model, given->out_path, error));
    }
    PML_TRY(given->common.json ? print_json(operands[0], &report, error) : print_text(&report, error));
    if (report.n_failed > 0) {
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "%s: %zu of %zu outputs are not as recorded", operands[0],
                         report.n_failed, report.count));
    }
done:
    pml_selftest_report_deinit(&report);
    pml_model_destroy(model);
    pml_selftest_io_close(&io);
    pml_file_close(file);
    return status;
}

static const pml_option options[] = {
    {"io", 0, PML_OPTION_TEXT, "FILE", NULL, "recorded vectors: in.*, out.*, out64.* in a safetensors file",
     offsetof(selftest_options, io_path)},
    {"out", 'o', PML_OPTION_TEXT, "FILE", NULL, "write out.<name> as computed, F32, to this safetensors file",
     offsetof(selftest_options, out_path)},
    {"backend", 0, PML_OPTION_TEXT, "NAME", NULL, "compute on this backend (default: the best of this CPU)",
     offsetof(selftest_options, backend)},
    {"outfile", 0, PML_OPTION_TEXT, "FILE", NULL, NULL, offsetof(selftest_options, out_path)},
    {"output", 0, PML_OPTION_TEXT, "FILE", NULL, NULL, offsetof(selftest_options, out_path)},
    {0},
};

const pml_command pml_cmd_selftest = {
    .name = "selftest",
    .operands = "FILE",
    .summary = "Run a model on recorded inputs and judge every recorded output",
    .examples = "pml-convert selftest model.pml --io io.safetensors\n"
                "pml-convert selftest model.pml --io in.safetensors --out computed.safetensors",
    .options = options,
    .options_bytes = sizeof(selftest_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
