/* pml-run: runs what pml-convert prepared. */
#include "runtime/cli/run_commands.h"

int main(int argc, char **argv) {
    static const pml_command *const commands[] = {&pml_cmd_run_info,     &pml_cmd_run_forecast,  &pml_cmd_run_evaluate,
                                                  &pml_cmd_run_embed,    &pml_cmd_run_fill_mask, &pml_cmd_run_classify,
                                                  &pml_cmd_run_tag,      &pml_cmd_run_answer,    &pml_cmd_run_tokenize,
                                                  &pml_cmd_run_generate, &pml_cmd_run_score,     &pml_cmd_run_selftest,
                                                  &pml_cmd_run_bench,    &pml_cmd_run_backends,  NULL};
    return pml_cli_main("pml-run", "Run a prepared model from one .pml file", commands, NULL, argc, argv);
}
