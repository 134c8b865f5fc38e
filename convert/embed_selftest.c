#include "convert/embed_selftest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "formats/format.h"
#include "runtime/base/alloc.h"
#include "runtime/models/selftest.h"

/* Views of every tensor of the source whose name says that it is a vector. */
static pml_status collect_vectors(pml_source *source, pml_vector **vectors, size_t *n_vectors, pml_error *error) {
    static const char *const prefixes[] = {"in.", "out.", "out64."};
    pml_status status = PML_OK;
    PML_TRY(pml_alloc(pml_source_n_tensors(source), sizeof **vectors, vectors, error));
    for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
        const pml_source_tensor *tensor = pml_source_tensor_at(source, i);
        for (size_t k = 0; k < sizeof prefixes / sizeof prefixes[0]; k++) {
            if (strncmp(tensor->name, prefixes[k], strlen(prefixes[k])) == 0) {
                pml_vector *vector = &(*vectors)[(*n_vectors)++];
                vector->name = tensor->name;
                vector->dtype = tensor->dtype;
                vector->rank = tensor->rank;
                memcpy(vector->shape, tensor->shape, sizeof vector->shape);
                PML_TRY(pml_source_tensor_view(source, tensor, &vector->bytes, error));
            }
        }
    }
done:
    return status;
}

static pml_status judge(const pml_selftest_report *report, const char *path, pml_error *error) {
    for (size_t i = 0; i < report->count; i++) {
        const pml_selftest_result *result = &report->results[i];
        if (!result->passed) {
            return PML_FAIL(
                error, PML_E_MISMATCH,
                "%s: the model does not reproduce output '%s' (error %.3g, allowed %.3g); these vectors were "
                "recorded from another model or input",
                path, result->name, result->by_rms ? result->relative_rms : result->max_error, result->allowed);
        }
    }
    if (report->count == 0) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s: no recorded output (out.NAME or out64.NAME) to embed", path);
    }
    return PML_OK;
}

pml_status pml_selftest_prepare(pml_file *file, const char *vectors_path, pml_selftest_bytes *selftest,
                                size_t *n_outputs, pml_error *error) {
    pml_status status = PML_OK;
    pml_source *source = NULL;
    pml_model *model = NULL;
    pml_vector *vectors = NULL;
    size_t n_vectors = 0;
    pml_selftest_report report = {0};
    pml_selftest_bytes encoded = {0};
    PML_TRY(pml_source_open(vectors_path, &source, error));
    PML_TRY(collect_vectors(source, &vectors, &n_vectors, error));
    PML_TRY(pml_model_create(file, NULL, &model, error));
    PML_TRY(pml_selftest_run(model, vectors, n_vectors, &report, error));
    PML_TRY(judge(&report, vectors_path, error));
    PML_TRY(pml_selftest_encode(model, vectors, n_vectors, &encoded.bytes, &encoded.size_bytes, error));
    if (encoded.size_bytes > PML_MAX_SELFTEST_BYTES) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%s: %zu bytes of vectors; a file carries at most %zu", vectors_path,
                         encoded.size_bytes, PML_MAX_SELFTEST_BYTES));
    }
    *selftest = encoded;
    *n_outputs = report.count;
    encoded.bytes = NULL;
done:
    pml_free(encoded.bytes);
    pml_selftest_report_deinit(&report);
    pml_model_destroy(model);
    pml_free(vectors);
    pml_source_close(source);
    return status;
}

pml_status pml_selftest_intermediate_path(const char *output, char **path, pml_error *error) {
    pml_status status = PML_OK;
    const char *slash = strrchr(output, '/');
    const size_t n_directory = slash != NULL ? (size_t)(slash - output) + 1 : 0;
    const size_t n_bytes = n_directory + 64;
    *path = NULL;
    PML_TRY(pml_alloc(n_bytes, 1, path, error));
    memcpy(*path, output, n_directory);
    (void)snprintf(*path + n_directory, n_bytes - n_directory, ".pml-selftest.%" PRIdMAX ".pml", (intmax_t)getpid());
done:
    return status;
}

void pml_selftest_intermediate_remove(const char *path) {
    (void)unlink(path);
}
