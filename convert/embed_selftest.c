#include "convert/embed_selftest.h"

#include <stdio.h>
#include <string.h>

#include "convert/selftest_io.h"
#include "runtime/base/alloc.h"
#include "runtime/models/selftest.h"

/* Outputs that the model does not have are not embedded, hence not judged either. */
static pml_status judge(const pml_model *model, const pml_selftest_report *report, const char *path, size_t *n_outputs,
                        pml_error *error) {
    *n_outputs = 0;
    for (size_t i = 0; i < report->count; i++) {
        const pml_selftest_result *result = &report->results[i];
        if (pml_model_output(model, result->name) == NULL) {
            continue;
        }
        if (!result->passed) {
            return PML_FAIL(error, PML_E_MISMATCH,
                            "%s: the model does not reproduce output '%s' (error %.3g, allowed %.3g); these vectors "
                            "were recorded from another model",
                            path, result->name, result->by_rms ? result->relative_rms : result->max_error,
                            result->allowed);
        }
        ++*n_outputs;
    }
    if (*n_outputs == 0) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s: no recorded output (out.NAME or out64.NAME) of this model", path);
    }
    return PML_OK;
}

pml_status pml_selftest_prepare(pml_file *file, const char *vectors_path, pml_selftest_bytes *selftest,
                                size_t *n_outputs, pml_error *error) {
    pml_status status = PML_OK;
    pml_model *model = NULL;
    pml_selftest_io io = {0};
    pml_selftest_report report = {0};
    pml_selftest_bytes encoded = {0};
    PML_TRY(pml_selftest_io_open(vectors_path, &io, error));
    PML_TRY(pml_model_create(file, NULL, &model, error));
    pml_selftest_io_narrow(&io, model);
    PML_TRY(pml_selftest_run(model, io.vectors, io.n_vectors, &report, error));
    PML_TRY(judge(model, &report, vectors_path, n_outputs, error));
    PML_TRY(pml_selftest_encode(model, io.vectors, io.n_vectors, &encoded.bytes, &encoded.size_bytes, error));
    if (encoded.size_bytes > PML_MAX_SELFTEST_BYTES) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%s: %zu bytes of vectors; a file carries at most %zu", vectors_path,
                         encoded.size_bytes, PML_MAX_SELFTEST_BYTES));
    }
    *selftest = encoded;
    encoded.bytes = NULL;
done:
    pml_free(encoded.bytes);
    pml_selftest_report_deinit(&report);
    pml_model_destroy(model);
    pml_selftest_io_close(&io);
    return status;
}
