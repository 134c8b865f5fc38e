/* pml-plot: what `pml-run plot` executes, so that pml-run itself links no graphics. */
#include "runtime/cli/command.h"

extern const pml_command pml_cmd_plot;

int main(int argc, char **argv) {
    static const pml_command *const commands[] = {NULL};
    return pml_cli_main("pml-plot", "Draw a forecast, a backtest, a training run or a study", commands, &pml_cmd_plot,
                        argc, argv);
}
