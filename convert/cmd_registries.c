/* pml-convert models, pml-convert formats: what this build can read, straight from the registries. */
#include "convert/commands.h"
#include "convert/registries.h"

typedef struct registry_options {
    pml_common_options common;
} registry_options;

static pml_status run_models(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    (void)operands;
    (void)n_operands;
    const registry_options *given = options;
    return pml_registry_print_models(given->common.json, stdout, error);
}

static pml_status run_formats(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    (void)operands;
    (void)n_operands;
    const registry_options *given = options;
    return pml_registry_print_formats(given->common.json, stdout, error);
}

static const pml_option options[] = {{0}};

const pml_command pml_cmd_models = {
    .name = "models",
    .operands = "",
    .summary = "List the model families: architecture, variants, dialects and known repositories",
    .examples = "pml-convert models --json",
    .options = options,
    .options_bytes = sizeof(registry_options),
    .run = run_models,
};

const pml_command pml_cmd_formats = {
    .name = "formats",
    .operands = "",
    .summary = "List the source formats and the file names that are looked for in a directory",
    .examples = "pml-convert formats",
    .options = options,
    .options_bytes = sizeof(registry_options),
    .run = run_formats,
};
