/* pml-run backends: what can compute on this machine, and why the rest cannot. */
#include <stdio.h>

#include "runtime/base/json_writer.h"
#include "runtime/cli/run_commands.h"

static pml_status print_json(pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, true);
    pml_json_begin_object(&w, NULL);
    pml_json_begin_array(&w, "backends");
    for (size_t i = 0; pml_backend_at(i) != NULL; i++) {
        pml_error reason = {0};
        bool works = pml_backend_check(pml_backend_at(i), &reason) == PML_OK;
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "name", pml_backend_at(i));
        pml_json_bool(&w, "available", works);
        pml_json_string(&w, "reason", works ? NULL : reason.message);
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const pml_common_options *common = options;
    (void)operands;
    (void)n_operands;
    if (common->json) {
        return print_json(error);
    }
    for (size_t i = 0; pml_backend_at(i) != NULL; i++) {
        pml_error reason = {0};
        bool works = pml_backend_check(pml_backend_at(i), &reason) == PML_OK;
        (void)printf("%-20s %s\n", pml_backend_at(i), works ? "available" : reason.message);
    }
    return PML_OK;
}

const pml_command pml_cmd_run_backends = {
    .name = "backends",
    .operands = "",
    .summary = "List what can compute here, and why the rest cannot",
    .examples = "pml-run backends\npml-run backends --json",
    .options_bytes = sizeof(pml_common_options),
    .run = run,
};
