/* pml-convert verify: a file against its own checksums, and against the source that it was made from. */
#include <stddef.h>
#include <string.h>

#include "convert/commands.h"
#include "convert/hub_options.h"
#include "convert/quality.h"
#include "convert/ship/receipt.h"
#include "convert/verify_source.h"
#include "runtime/base/alloc.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/quote.h"
#include "runtime/cli/printable.h"

typedef struct verify_options {
    pml_common_options common;
    pml_hub_command hub;
    const char *source;
    const char *config_path, *modes_index_path;
    const char *map_path;
    const char *key_path;
} verify_options;

static void write_finding(pml_json_writer *w, const pml_finding *finding) {
    pml_json_begin_object(w, NULL);
    pml_json_string(w, "kind", pml_finding_kind_name(finding->kind));
    pml_json_string(w, "name", finding->name);
    pml_json_string(w, "cause", finding->cause);
    if (finding->has_element) {
        pml_json_u64(w, "i_element", finding->i_element);
        pml_json_f64(w, "stored", finding->stored);
        pml_json_f64(w, "expected", finding->expected);
    }
    pml_json_end_object(w);
}

/* `damage`: what is wrong with the file itself; NULL: nothing. */
static pml_status print_json(const pml_file *file, const char *damage, const char *source,
                             const pml_verify_report *report, pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "path", pml_file_path(file));
    pml_json_bool(&w, "passed", damage == NULL && report->count == 0);
    pml_json_string(&w, "damage", damage);
    pml_json_string(&w, "source", source);
    pml_json_u64(&w, "n_tensors", pml_file_n_tensors(file));
    pml_json_u64(&w, "n_tensors_compared", report->n_tensors);
    pml_json_u64(&w, "n_files_hashed", report->n_files);
    pml_json_begin_array(&w, "differences");
    for (size_t i = 0; i < report->count; i++) {
        write_finding(&w, &report->findings[i]);
    }
    pml_json_end_array(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static void print_text(const pml_file *file, const char *source, const pml_verify_report *report) {
    pml_printable_write(stdout, pml_file_path(file));
    printf(": checksums of %zu tensors and %zu blobs are right, padding is zero\n", pml_file_n_tensors(file),
           pml_file_n_blobs(file));
    if (source == NULL) {
        return;
    }
    pml_printable_write(stdout, source);
    printf(": %zu tensors compared, %zu files hashed, %zu differences\n", report->n_tensors, report->n_files,
           report->count);
    for (size_t i = 0; i < report->count; i++) {
        printf("  %s ", pml_finding_kind_name(report->findings[i].kind));
        pml_printable_write(stdout, report->findings[i].name);
        fputs(": ", stdout);
        pml_printable_write(stdout, report->findings[i].cause);
        fputc('\n', stdout);
    }
}

static void on_progress(void *user, uint64_t done_bytes) {
    pml_progress_advance(user, done_bytes);
}

static pml_status compare_with_source(const pml_file *file, const verify_options *given, const char *source,
                                      pml_verify_report *report, pml_error *error) {
    pml_status status = PML_OK;
    pml_progress *progress = NULL;
    PML_TRY(pml_progress_create(&given->common, "verify", pml_file_size(file), &progress, error));
    pml_verify_options options = {.source = source,
                                  .config_path = given->config_path,
                                  .modes_index_path = given->modes_index_path,
                                  .map_path = given->map_path,
                                  .progress = on_progress,
                                  .user = progress};
    PML_TRY(pml_verify_source(file, &options, report, error));
done:
    pml_progress_destroy(progress);
    return status;
}

static pml_status fail_with_first(const char *path, const char *source, const pml_finding *first, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted name;
    char *cause = NULL;
    PML_TRY(pml_printable_copy(first->cause, strlen(first->cause), &cause, error));
    PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "%s is not what %s gives: %s %s: %s", path, source,
                     pml_finding_kind_name(first->kind), pml_quote(&name, first->name), cause));
done:
    pml_free(cause);
    return status;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    (void)n_operands;
    const verify_options *given = options;
    pml_status status = PML_OK;
    pml_file *file = NULL;
    pml_verify_report report = {0};
    char *source = NULL;
    if (given->source == NULL &&
        (given->config_path != NULL || given->modes_index_path != NULL || given->map_path != NULL)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT,
                         "--config, --modes-index and --map say how the source is read: they go with --source"));
    }
    if (given->key_path != NULL) {
        PML_TRY(pml_receipt_check(operands[0], given->key_path, error));
    }
    PML_TRY(pml_file_open(operands[0], &file, error));
    const double *max_errors;
    pml_status damage = pml_file_verify(file, error);
    damage = damage == PML_OK ? pml_quality_max_errors(file, &max_errors, error) : damage;
    if (damage != PML_OK) {
        if (damage == PML_E_MISMATCH && given->common.json) {
            pml_error unused = {0};
            PML_TRY(print_json(file, error->message, NULL, &report, &unused));
        }
        PML_TRY(damage);
    }
    if (given->source != NULL) {
        PML_TRY(pml_hub_command_resolve(&given->hub, &given->common, given->source, &source, error));
        PML_TRY(compare_with_source(file, given, source, &report, error));
    }
    if (given->common.json) {
        PML_TRY(print_json(file, NULL, given->source, &report, error));
    } else {
        print_text(file, given->source, &report);
    }
    if (report.count > 0) {
        PML_TRY(fail_with_first(operands[0], given->source, &report.findings[0], error));
    }
done:
    pml_verify_report_deinit(&report);
    pml_file_close(file);
    pml_free(source);
    return status;
}

static const pml_option options[] = {
    {"source", 0, PML_OPTION_TEXT, "SOURCE", NULL,
     "repeat the conversion of this source with the recorded options and compare bit for bit",
     offsetof(verify_options, source)},
    {"config", 0, PML_OPTION_TEXT, "FILE", NULL, "with --source: the config, if the conversion was given --config",
     offsetof(verify_options, config_path)},
    {"modes-index", 0, PML_OPTION_TEXT, "FILE", NULL, "with --source: the same, of --modes-index",
     offsetof(verify_options, modes_index_path)},
    {"map", 0, PML_OPTION_TEXT, "FILE", NULL, "with --source: the rules, if the conversion was given --map",
     offsetof(verify_options, map_path)},
    {"key", 0, PML_OPTION_TEXT, "PUBLIC", NULL,
     "also check SHA256SUMS beside FILE, which names it, and its signature by this Ed25519 key (PEM)",
     offsetof(verify_options, key_path)},
    PML_HUB_COMMAND_ROWS(verify_options),
    {0},
};

const pml_command pml_cmd_verify = {
    .name = "verify",
    .operands = "FILE",
    .summary = "Check every checksum of a .pml file and, with --source, compare it with what it was made from",
    .examples = "pml-convert verify model.pml\n"
                "pml-convert verify model.pml --source checkpoint/\n"
                "pml-convert verify model.pml --key public.pem",
    .options = options,
    .options_bytes = sizeof(verify_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
