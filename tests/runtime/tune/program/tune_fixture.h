/* `pml-train tune` as a process. */
#ifndef PML_TESTS_RUNTIME_TUNE_PROGRAM_TUNE_FIXTURE_H
#define PML_TESTS_RUNTIME_TUNE_PROGRAM_TUNE_FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/tune/study.h"
#include "tests/harness.h"

#define TUNE_SPACE                                                                                                     \
    "{\"lr\": {\"type\": \"float\", \"low\": 1e-5, \"high\": 1, \"log\": true, \"resolution\": 2},"                    \
    " \"opt\": {\"type\": \"categorical\", \"choices\": [\"adam\", \"sgd\"]},"                                         \
    " \"m\": {\"type\": \"float\", \"low\": 0, \"high\": 1, \"resolution\": 2, \"if\": {\"opt\": \"sgd\"}}}"

/* A file of the temporary folder. */
static const char *tune_file(const char *name) {
    return pml_test_path("%s/%s", pml_test_temporary_dir(), name);
}

static const char *tune_space(void) {
    pml_test_write_file(tune_file("space.json"), TUNE_SPACE, sizeof TUNE_SPACE - 1);
    return tune_file("space.json");
}

/* The exit code of `pml-train tune` with the space above and these arguments. */
static inline int tune_run(char **output, const char *arguments) {
    return pml_test_command(output, "'%s/pml-train' tune --space '%s' %s", pml_test_binary_dir(), tune_space(),
                            arguments);
}

static pml_study *tune_open(const char *path) {
    pml_error error;
    pml_study *study = NULL;
    const pml_study_options options = {.path = path, .must_exist = true};
    PML_ASSERT_OK(pml_study_open(&options, &study, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(study);
    return study;
}

#endif
