/* pml-run: runs what pml-convert prepared. */
#include "runtime/cli/run_commands.h"

/* What links more than pml-run may lies in programs beside it. */
static const pml_command train = {
    .name = "train", .summary = "Train a model.", .program = "pml-train", .program_has_commands = true};
static const pml_command tune = {.name = "tune",
                                 .summary = "Search for settings of a training.",
                                 .program = "pml-train",
                                 .program_has_commands = true};
static const pml_command serve = {.name = "serve", .summary = "Answer requests over HTTP.", .program = "pml-serve"};
static const pml_command plot = {
    .name = "plot", .summary = "Draw a forecast, a backtest, a training run or a study.", .program = "pml-plot"};

int main(int argc, char **argv) {
    static const pml_command *const commands[] = {&pml_cmd_run_info,
                                                  &pml_cmd_run_forecast,
                                                  &pml_cmd_run_evaluate,
                                                  &pml_cmd_run_backtest,
                                                  &pml_cmd_run_embed,
                                                  &pml_cmd_run_fill_mask,
                                                  &pml_cmd_run_classify,
                                                  &pml_cmd_run_tag,
                                                  &pml_cmd_run_answer,
                                                  &pml_cmd_run_tokenize,
                                                  &pml_cmd_run_generate,
                                                  &pml_cmd_run_score,
                                                  &pml_cmd_run_selftest,
                                                  &pml_cmd_run_bench,
                                                  &pml_cmd_run_backends,
                                                  &serve,
                                                  &train,
                                                  &tune,
                                                  &plot,
                                                  NULL};
    return pml_cli_main("pml-run", "Run a prepared model from one .pml file", commands, NULL, argc, argv);
}
