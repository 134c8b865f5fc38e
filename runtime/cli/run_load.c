/* Opens a file and creates its model, with the options that all commands share. */
#include <string.h>

#include "runtime/cli/command_parts.h"
#include "runtime/cli/run_commands.h"

/* A wrong name on the command line is an error of usage, with a hint; the library would call it "not found". */
static pml_status check_backend(const char *name, pml_error *error) {
    const char *names[64];
    size_t n_names = 0;
    while (n_names < sizeof names / sizeof names[0] && pml_backend_at(n_names) != NULL) {
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

pml_status pml_load(const char *path, const pml_model_options *options, pml_loaded *loaded, pml_error *error) {
    pml_status status = PML_OK;
    if (options->backend != NULL && strcmp(options->backend, "auto") != 0) {
        PML_TRY(check_backend(options->backend, error));
    }
    PML_TRY(pml_file_open(path, &loaded->file, error));
    if (options->verify) {
        PML_TRY(pml_file_verify(loaded->file, error));
    }
    PML_TRY(pml_model_create(loaded->file, options->backend, &loaded->model, error));
done:
    return status;
}

void pml_unload(pml_loaded *loaded) {
    pml_model_destroy(loaded->model);
    pml_file_close(loaded->file);
    *loaded = (pml_loaded){0};
}
