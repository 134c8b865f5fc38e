/* pml-convert detect: which family a checkpoint belongs to, and why. */
#include <stddef.h>

#include "convert/bundle.h"
#include "convert/commands.h"
#include "convert/detect_print.h"
#include "convert/hub_options.h"
#include "runtime/base/alloc.h"

typedef struct detect_options {
    pml_common_options common;
    pml_hub_command hub;
    pml_option_list settings;
    const char *arch;
    const char *map_path;
} detect_options;

/* Without a config there are things that tensors cannot tell. The family is found all the same when one candidate alone
 * is accepted and what failed is the reading of its configuration: the answer then says what to add with --set. */
static bool is_found(const pml_bundle *bundle, const pml_detect_report *report, pml_status verdict) {
    size_t n_accepted = 0;
    for (size_t i = 0; i < report->count; i++) {
        n_accepted += report->candidates[i].accepted;
    }
    return verdict == PML_OK || (verdict == PML_E_CONFIG && bundle->config == NULL && n_accepted == 1);
}

/* The candidates in full on stdout; then, when there is not exactly one, the error that says why. */
static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    (void)n_operands;
    const detect_options *given = options;
    pml_status status = PML_OK;
    pml_bundle *bundle = NULL;
    pml_mapping *mapping = NULL;
    pml_detect_report report = {0};
    pml_error why = {0};
    char *source = NULL;
    pml_bundle_options bundle_options = {.settings = given->settings.items,
                                         .n_settings = given->settings.count,
                                         .arch = given->arch,
                                         .map_path = given->map_path};
    PML_TRY(pml_hub_command_resolve(&given->hub, &given->common, operands[0], &source, error));
    PML_TRY(pml_bundle_open(source, &bundle_options, &bundle, error));
    PML_TRY(pml_detect_report_fill(&bundle->map, &report, error));
    pml_status verdict = pml_mapping_create(&bundle->map, &mapping, &why);
    if (verdict == PML_OK || verdict == PML_E_CONFIG || verdict == PML_E_UNSUPPORTED || verdict == PML_E_FORMAT) {
        PML_TRY(pml_detect_print(bundle->tensors, &report, mapping, verdict == PML_OK ? NULL : why.message,
                                 given->common.json, stdout, error));
    }
    if (!is_found(bundle, &report, verdict)) {
        *error = why;
        PML_TRY(verdict);
    }
done:
    pml_mapping_destroy(mapping);
    pml_detect_report_deinit(&report);
    pml_bundle_close(bundle);
    pml_free(source);
    return status;
}

static const pml_option options[] = {
    {"set", 0, PML_OPTION_LIST, "KEY=VALUE", NULL, "a setting that the checkpoint does not tell; wins over its config",
     offsetof(detect_options, settings)},
    {"arch", 0, PML_OPTION_TEXT, "FAMILY", NULL, "consider only this family", offsetof(detect_options, arch)},
    {"map", 0, PML_OPTION_TEXT, "FILE", NULL, "rules for other tensor names: lines of \"pattern target [transform]\"",
     offsetof(detect_options, map_path)},
    PML_HUB_COMMAND_ROWS(detect_options),
    {0},
};

const pml_command pml_cmd_detect = {
    .name = "detect",
    .operands = "SOURCE",
    .summary = "Say which model family a checkpoint belongs to, and why",
    .examples = "pml-convert detect checkpoint/\n"
                "pml-convert detect checkpoint/ --set num_attention_heads=4 --json",
    .options = options,
    .options_bytes = sizeof(detect_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
