/* pml-convert inspect: what a file holds. */
#include <stddef.h>

#include "convert/commands.h"
#include "convert/hub_options.h"
#include "convert/inspect.h"
#include "runtime/base/alloc.h"

typedef struct inspect_options {
    pml_common_options common;
    pml_hub_command hub;
    bool without_tensors;
    bool quality;
} inspect_options;

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    (void)n_operands;
    const inspect_options *given = options;
    pml_inspect_options inspect = {
        .json = given->common.json, .without_tensors = given->without_tensors, .quality = given->quality};
    pml_status status = PML_OK;
    char *source = NULL;
    PML_TRY(pml_hub_command_resolve(&given->hub, &given->common, operands[0], &source, error));
    PML_TRY(pml_inspect_path(source, &inspect, stdout, error));
done:
    pml_free(source);
    return status;
}

static const pml_option options[] = {
    {"no-tensors", 0, PML_OPTION_FLAG, NULL, NULL, "leave the list of tensors out",
     offsetof(inspect_options, without_tensors)},
    {"quality", 0, PML_OPTION_FLAG, NULL, NULL, "of a .pml: what rounding took away from its tensors, the worst first",
     offsetof(inspect_options, quality)},
    PML_HUB_COMMAND_ROWS(inspect_options),
    {0},
};

const pml_command pml_cmd_inspect = {
    .name = "inspect",
    .operands = "FILE",
    .summary = "Show what a .pml file, a checkpoint file or a checkpoint directory holds",
    .examples = "pml-convert inspect model.pml\n"
                "pml-convert inspect --quality model-int8.pml\n"
                "pml-convert inspect --no-tensors --json checkpoint/",
    .options = options,
    .options_bytes = sizeof(inspect_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
