/* pml-convert: understands foreign checkpoints and prepares them as .pml files. */
#include "convert/commands.h"

static const pml_command *const commands[] = {
    &pml_cmd_convert,
    &pml_cmd_download,
    &pml_cmd_cache,
    &pml_cmd_inspect,
    &pml_cmd_verify,
    &pml_cmd_diff,
    &pml_cmd_detect,
    &pml_cmd_models,
    &pml_cmd_formats,
    &pml_cmd_selftest,
    &pml_cmd_ship,
    &pml_cmd_unship,
    &pml_cmd_batch,
    &pml_cmd_export,
    NULL,
};

int main(int argc, char **argv) {
    return pml_cli_main("pml-convert", "Prepare model checkpoints as .pml files, inspect and compare them", commands,
                        &pml_cmd_convert, argc, argv);
}
