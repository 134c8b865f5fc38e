/* pml-serve: what `pml-run serve` executes, so that pml-run itself links no HTTP. */
#include "runtime/cli/command.h"

extern const pml_command pml_cmd_serve;

int main(int argc, char **argv) {
    static const pml_command *const commands[] = {NULL};
    return pml_cli_main("pml-serve", "Answer requests over HTTP with one prepared model", commands, &pml_cmd_serve,
                        argc, argv);
}
