/* pml-convert SOURCE: the default command. Plans, converts, publishes, and says where the file is. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "convert/calibrate.h"
#include "convert/commands.h"
#include "convert/hub_options.h"
#include "convert/plan_print.h"
#include "convert/registries.h"
#include "convert/stored_type.h"
#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"

typedef struct convert_options {
    pml_common_options common;
    pml_hub_command hub;
    const char *output;
    const char *dtype;
    pml_option_list type_rules;
    const char *max_error;
    const char *layout;
    pml_option_list settings;
    const char *map_path;
    const char *arch;
    const char *config_path, *modes_index_path;
    const char *selftest_path;
    const char *calibrate_path;
    bool print_models;
    bool dry_run;
    bool force;
    bool allow_nonfinite;
} convert_options;

static pml_status read_dtype(const char *text, pml_convert_options *options, pml_error *error) {
    pml_quoted quoted;
    pml_stored_type type = {PML_DTYPE_F32, 0};
    if (text != NULL && strcmp(text, "f16") == 0) {
        return PML_FAIL(error, PML_E_ARGUMENT,
                        "--dtype f16: f16 is a dtype of sources, read as it is; files are written as %s",
                        PML_STORED_TYPES);
    }
    if (text != NULL && !pml_stored_type_find(text, &type)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--dtype %s: expected %s", pml_quote(&quoted, text), PML_STORED_TYPES);
    }
    options->dtype = type.dtype;
    options->group_rows = type.group_rows;
    return PML_OK;
}

static pml_status read_max_error(const char *text, double *max_error, pml_error *error) {
    pml_quoted quoted;
    char *end = NULL;
    *max_error = text != NULL ? strtod(text, &end) : 0;
    if (text != NULL && (end == text || *end != '\0' || !(*max_error > 0 && *max_error < 1))) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--max-error %s: expected a number above 0 and below 1",
                        pml_quote(&quoted, text));
    }
    return PML_OK;
}

static pml_status read_options(const convert_options *given, const char *source, pml_convert_options *options,
                               pml_error *error) {
    pml_status status = PML_OK;
    pml_type_rule rule;
    *options = (pml_convert_options){.source = source,
                                     .type_rules = given->type_rules.items,
                                     .n_type_rules = given->type_rules.count,
                                     .output = given->output,
                                     .bundle = {.settings = given->settings.items,
                                                .n_settings = given->settings.count,
                                                .arch = given->arch,
                                                .map_path = given->map_path,
                                                .config_path = given->config_path,
                                                .modes_index_path = given->modes_index_path},
                                     .layout = PML_LAYOUT_PANEL,
                                     .replace = given->force,
                                     .allow_nonfinite = given->allow_nonfinite,
                                     .selftest_path = given->selftest_path};
    PML_TRY(read_dtype(given->dtype, options, error));
    PML_TRY(read_max_error(given->max_error, &options->max_error, error));
    for (size_t i = 0; i < given->type_rules.count; i++) {
        PML_TRY(pml_type_rule_parse(given->type_rules.items[i], &rule, error));
    }
    if (given->layout != NULL) {
        PML_TRY(pml_layout_from_name(given->layout, &options->layout, error));
    }
done:
    return status;
}

static void on_progress(void *user, uint64_t done_bytes) {
    pml_progress_advance(user, done_bytes);
}

static double seconds_now(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static pml_status run(const void *given_options, char **operands, unsigned n_operands, pml_error *error) {
    const convert_options *given = given_options;
    const bool talks = !given->common.json && !given->common.quiet;
    pml_status status = PML_OK;
    pml_convert_options options;
    pml_convert_report report;
    pml_plan *plan = NULL;
    pml_progress *progress = NULL;
    char *source = NULL;
    pml_calibration_inputs inputs = {0};
    pml_calibration calibration;
    const bool calibrates = given->calibrate_path != NULL;
    const double start = seconds_now();
    if (given->print_models) {
        PML_TRY(pml_registry_print_models(given->common.json, stdout, error));
        goto done;
    }
    if (n_operands == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "missing operand: expected SOURCE"));
    }
    PML_TRY(read_options(given, operands[0], &options, error)); /* what is wrong with them is said before a download */
    PML_TRY(pml_hub_command_resolve(&given->hub, &given->common, operands[0], &source, error));
    options.source = source;
    PML_TRY(pml_plan_create(&options, &plan, error));
    if (calibrates) {
        PML_TRY(pml_cli_check_output("outfile", plan->output, &given->calibrate_path, 1, error));
        PML_TRY(pml_calibration_read(plan, given->calibrate_path, &inputs, error));
    }
    if (talks) {
        if (given->dry_run) {
            PML_TRY(pml_plan_print_tensors(plan, stdout, error));
        }
        pml_plan_print_summary(plan, given->dry_run, given->dry_run ? stdout : stderr);
    }
    if (!given->dry_run) {
        PML_TRY(pml_progress_create(&given->common, plan->bundle->name, plan->source_bytes, &progress, error));
        PML_TRY(pml_convert_run(plan, on_progress, progress, &report, error));
        pml_progress_destroy(progress);
        progress = NULL;
    }
    const double seconds = seconds_now() - start;
    const bool calibrated = calibrates && !given->dry_run;
    if (calibrated) {
        PML_TRY(pml_calibration_run(plan, &inputs, &calibration, error));
    }
    if (given->common.json) {
        PML_TRY(pml_plan_print_json(plan, given->dry_run ? NULL : &report, calibrated ? &calibration : NULL, seconds,
                                    stdout, error));
    } else {
        if (talks && !given->dry_run) {
            char size[32];
            (void)fprintf(stderr, "written: %s in %.2f s\n", pml_cli_size_text(report.size_bytes, size), seconds);
        }
        if (talks && calibrated) {
            pml_calibration_print(&calibration, stderr);
        }
        (void)printf("%s\n", plan->output);
    }
done:
    pml_progress_destroy(progress);
    pml_calibration_inputs_deinit(&inputs);
    pml_plan_destroy(plan);
    pml_free(source);
    return status;
}

static const pml_option options[] = {
    {"outfile", 'o', PML_OPTION_TEXT, "OUT.pml", NULL,
     "the file to write; {name} and {dtype} are filled in (default: {name}.pml)", offsetof(convert_options, output)},
    {"dtype", 0, PML_OPTION_TEXT, PML_STORED_TYPES, NULL,
     "how matrices are stored; int8 and int8-gN (a scale per N rows) embeddings too; the rest stays f32 (default: f32)",
     offsetof(convert_options, dtype)},
    {"tensor-type", 0, PML_OPTION_LIST, "PATTERN=DTYPE", NULL,
     "how weights are stored whose names match (* and ?); the last match counts",
     offsetof(convert_options, type_rules)},
    {"max-error", 0, PML_OPTION_TEXT, "RMS", NULL,
     "store as bf16 what would lose more as int8, relative RMS; refuse what loses more as bf16, too",
     offsetof(convert_options, max_error)},
    {"layout", 0, PML_OPTION_TEXT, "panel|row", "panel|row",
     "how matrices are arranged: packed for kernels, or plain (default: panel)", offsetof(convert_options, layout)},
    {"set", 0, PML_OPTION_LIST, "KEY=VALUE", NULL,
     "a configuration value that the source does not tell, or tells wrongly; frequency=h describes the series",
     offsetof(convert_options, settings)},
    {"map", 0, PML_OPTION_TEXT, "FILE", NULL, "rules for other tensor names: lines of PATTERN TARGET [TRANSFORM]",
     offsetof(convert_options, map_path)},
    {"arch", 0, PML_OPTION_TEXT, "FAMILY", NULL, "consider only this family (see: pml-convert models)",
     offsetof(convert_options, arch)},
    {"config", 0, PML_OPTION_TEXT, "FILE", NULL, "read this file instead of config.json beside the tensors",
     offsetof(convert_options, config_path)},
    {"modes-index", 0, PML_OPTION_TEXT, "FILE", NULL, "the frequencies that a FEDformer's blocks keep, as JSON",
     offsetof(convert_options, modes_index_path)},
    {"dry-run", 'n', PML_OPTION_FLAG, NULL, NULL, "print what would be written, and write nothing",
     offsetof(convert_options, dry_run)},
    {"force", 'f', PML_OPTION_FLAG, NULL, NULL, "replace an existing output", offsetof(convert_options, force)},
    {"allow-nonfinite", 0, PML_OPTION_FLAG, NULL, NULL,
     "convert NaN and infinities too, and let what exceeds bf16 become infinite",
     offsetof(convert_options, allow_nonfinite)},
    {"embed-selftest", 0, PML_OPTION_TEXT, "FILE", NULL,
     "put recorded vectors (in.*, out.*, out64.*) into the file, for pml-run selftest",
     offsetof(convert_options, selftest_path)},
    {"calibrate", 0, PML_OPTION_TEXT, "TEXT|CSV", NULL,
     "afterwards run the file and its f32 form on these inputs (a text a line, or a series) and compare their outputs",
     offsetof(convert_options, calibrate_path)},
    PML_HUB_COMMAND_ROWS(convert_options),
    /* What other converters call these. */
    {"outtype", 0, PML_OPTION_TEXT, "DTYPE", NULL, NULL, offsetof(convert_options, dtype)},
    {"quantize", 0, PML_OPTION_TEXT, "DTYPE", NULL, NULL, offsetof(convert_options, dtype)},
    {"quantization", 0, PML_OPTION_TEXT, "DTYPE", NULL, NULL, offsetof(convert_options, dtype)},
    {"out", 0, PML_OPTION_TEXT, "OUT.pml", NULL, NULL, offsetof(convert_options, output)},
    {"output", 0, PML_OPTION_TEXT, "OUT.pml", NULL, NULL, offsetof(convert_options, output)},
    {"print-supported-models", 0, PML_OPTION_FLAG, NULL, NULL, NULL, offsetof(convert_options, print_models)},
    {0},
};

const pml_command pml_cmd_convert = {
    .name = "convert",
    .operands = "SOURCE",
    .summary =
        "Convert a checkpoint (a directory, a file or org/name of the hub) into one .pml file; code that comes with "
        "it is never run",
    .examples = "pml-convert ./patchtst-etth1 -o etth1.pml\n"
                "pml-convert ibm-granite/granite-timeseries-patchtst\n"
                "pml-convert ./patchtst-etth1 --dtype bf16 -o '{name}-{dtype}.pml'\n"
                "pml-convert ./all-MiniLM-L6-v2 --dtype int8-g64 --tensor-type 'embedding.*=int8'\n"
                "pml-convert model.safetensors --set num_attention_heads=4 --dry-run",
    .options = options,
    .options_bytes = sizeof(convert_options),
    .least_operands = 0, /* --print-supported-models takes none */
    .most_operands = 1,
    .run = run,
};
