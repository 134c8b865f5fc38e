/* pml-convert export: a prepared model as the checkpoint that its ecosystem reads. */
#include <stddef.h>
#include <stdio.h>

#include "convert/commands.h"
#include "convert/export/export.h"
#include "runtime/base/json_writer.h"
#include "runtime/cli/printable.h"

typedef struct export_options {
    pml_common_options common;
    const char *directory;
    const char *dialect;
    bool force;
} export_options;

static void on_progress(void *user, uint64_t done_bytes) {
    pml_progress_advance(user, done_bytes);
}

static pml_status print(const export_options *given, const pml_export_report *report, pml_error *error) {
    pml_json_writer w;
    char size[32];
    if (!given->common.json) {
        if (!given->common.quiet) {
            (void)fprintf(stderr, "exported: %s as %s, %zu tensors, %s, read back and equal\n", report->family,
                          report->dialect, report->n_tensors, pml_cli_size_text(report->size_bytes, size));
        }
        pml_printable_write(stdout, given->directory);
        (void)fputc('\n', stdout);
        return PML_OK;
    }
    pml_json_writer_init(&w, stdout, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "path", given->directory);
    pml_json_string(&w, "family", report->family);
    pml_json_string(&w, "dialect", report->dialect);
    pml_json_u64(&w, "n_tensors", report->n_tensors);
    pml_json_u64(&w, "size_bytes", report->size_bytes);
    pml_json_begin_array(&w, "files");
    for (size_t i = 0; i < report->n_files; i++) {
        pml_json_string(&w, NULL, report->files[i]);
    }
    pml_json_end_array(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const export_options *given = options;
    pml_status status = PML_OK;
    pml_file *file = NULL;
    pml_progress *progress = NULL;
    pml_export_report report;
    (void)n_operands;
    if (given->directory == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "missing option: -o DIR says where the model goes"));
    }
    PML_TRY(pml_file_open(operands[0], &file, error));
    PML_TRY(pml_file_verify(file, error)); /* damage is not handed on */
    PML_TRY(pml_progress_create(&given->common, "export", 2 * pml_export_size(file), &progress, error));
    const pml_export_options job = {.directory = given->directory,
                                    .dialect = given->dialect,
                                    .replace = given->force,
                                    .progress = on_progress,
                                    .user = progress};
    PML_TRY(pml_export_run(file, &job, &report, error));
    pml_progress_destroy(progress);
    progress = NULL;
    PML_TRY(print(given, &report, error));
done:
    pml_progress_destroy(progress);
    pml_file_close(file);
    return status;
}

static const pml_option options[] = {
    {"output", 'o', PML_OPTION_TEXT, "DIR", NULL, "the folder for the checkpoint, its configuration and tokenizer",
     offsetof(export_options, directory)},
    {"dialect", 0, PML_OPTION_TEXT, "NAME", NULL,
     "whose names and arguments: hf, official-supervised, …; default: those of the file's source",
     offsetof(export_options, dialect)},
    {"force", 'f', PML_OPTION_FLAG, NULL, NULL, "replace an earlier export in DIR", offsetof(export_options, force)},
    {0},
};

const pml_command pml_cmd_export = {
    .name = "export",
    .operands = "FILE.pml",
    .summary = "Write a .pml file back as the checkpoint that transformers or a research code base loads",
    .examples = "pml-convert export model.pml -o model\n"
                "pml-convert export bert.pml -o bert-tf --dialect google-research",
    .options = options,
    .options_bytes = sizeof(export_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
