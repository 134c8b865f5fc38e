/* pml-train: what `pml-run train` and `pml-run tune` execute, so that pml-run itself reads no JSON. */
#include "runtime/cli/command.h"

extern const pml_command pml_cmd_train, pml_cmd_tune;

int main(int argc, char **argv) {
    static const pml_command *const commands[] = {&pml_cmd_train, &pml_cmd_tune, NULL};
    return pml_cli_main("pml-train", "Train models, and search for settings of a training", commands, NULL, argc, argv);
}
