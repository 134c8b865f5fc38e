/* Checks of what the command line names, made before any work. */
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/publish.h"
#include "runtime/cli/command_parts.h"
#include "runtime/pml.h"

enum { MOST_BACKENDS = 64 };

pml_status pml_cli_check_backend(const char *name, pml_error *error) {
    const char *names[MOST_BACKENDS];
    size_t n_names = 0;
    /* Whichever is chosen then, "cpu" tells whether this process can compute at all. */
    if (name == NULL || strcmp(name, "auto") == 0) {
        name = "cpu";
    }
    while (n_names < MOST_BACKENDS && pml_backend_at(n_names) != NULL) {
        names[n_names] = pml_backend_at(n_names);
        if (strcmp(names[n_names], name) == 0) {
            return pml_backend_check(name, error);
        }
        n_names++;
    }
    const char *nearest = pml_nearest_name(name, names, n_names);
    return PML_FAIL(error, PML_E_ARGUMENT, "there is no backend '%.60s'%s%s%s", name,
                    nearest != NULL ? "; did you mean '" : "; 'pml-run backends' lists them",
                    nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

pml_status pml_cli_check_output(const char *option, const char *path, const char *const *inputs, size_t n_inputs,
                                pml_error *error) {
    struct stat target, input;
    const bool exists = stat(path, &target) == 0;
    for (size_t i = 0; exists && i < n_inputs; i++) {
        if (inputs[i] != NULL && stat(inputs[i], &input) == 0 && input.st_dev == target.st_dev &&
            input.st_ino == target.st_ino) {
            return PML_FAIL(error, PML_E_ARGUMENT, "--%s %s would overwrite the input %s", option, path, inputs[i]);
        }
    }
    pml_status status = pml_publish_check(path, true, error);
    return status == PML_OK ? PML_OK : pml_error_prefix(error, status, "--%s", option);
}
