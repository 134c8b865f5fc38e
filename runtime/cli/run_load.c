/* Opens a file and creates its model, with the options that all commands share. */
#include "runtime/base/limits.h"
#include "runtime/cli/run_commands.h"

pml_status pml_loaded_open(const char *path, const pml_model_options *options, pml_loaded *loaded, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_cli_check_backend(options->backend, error));
    if (options->threads.is_set && (options->threads.value < 1 || options->threads.value > PML_MAX_THREADS)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--threads must lie between 1 and %u", PML_MAX_THREADS));
    }
    PML_TRY(pml_file_open(path, &loaded->file, error));
    if (options->verify) {
        PML_TRY(pml_file_verify(loaded->file, error));
    }
    if (options->adapter != NULL) {
        PML_TRY(pml_file_open(options->adapter, &loaded->adapter, error));
        if (options->verify) {
            PML_TRY(pml_file_verify(loaded->adapter, error));
        }
        PML_TRY(pml_model_create_with_adapter(loaded->file, loaded->adapter, options->backend, &loaded->model, error));
    } else {
        PML_TRY(pml_model_create(loaded->file, options->backend, &loaded->model, error));
    }
    if (options->threads.is_set) {
        PML_TRY(pml_model_threads_set(loaded->model, (size_t)options->threads.value, error));
    }
done:
    return status;
}

void pml_loaded_close(pml_loaded *loaded) {
    pml_model_destroy(loaded->model);
    pml_file_close(loaded->adapter);
    pml_file_close(loaded->file);
    *loaded = (pml_loaded){0};
}
