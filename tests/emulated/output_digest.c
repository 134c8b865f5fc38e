/* output_digest FILE...: what models compute from the inputs that their files carry, as XXH3 of the outputs' bits, one
 * line per output. Machines that give the same lines give the same bits. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/file/reader.h"
#include "runtime/models/selftest.h"

static void print_outputs(const char *path, const pml_model *model) {
    const char *slash = strrchr(path, '/');
    for (size_t i = 0; i < pml_model_n_outputs(model); i++) {
        const pml_array *output = pml_model_output_at(model, i);
        size_t count = 1;
        for (size_t axis = 0; axis < output->rank; axis++) {
            count *= output->shape[axis];
        }
        (void)printf("%s %s %zu %016llx\n", slash != NULL ? slash + 1 : path, output->name, count,
                     (unsigned long long)XXH3_64bits(output->data, count * sizeof *output->data));
    }
}

static pml_status digest(const char *path, pml_error *error) {
    pml_status status = PML_OK;
    pml_file *file = NULL;
    pml_model *model = NULL;
    pml_vector *vectors = NULL;
    size_t n_vectors = 0;
    pml_selftest_report report = {0};
    PML_TRY(pml_file_open(path, &file, error));
    PML_TRY(pml_model_create(file, NULL, &model, error));
    const pml_file_blob *blob = pml_file_blob_find(file, "selftest");
    if (blob == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s carries no self-test", path));
    }
    PML_TRY(pml_selftest_decode(blob->data, (size_t)blob->size_bytes, path, &vectors, &n_vectors, error));
    PML_TRY(pml_selftest_run(model, vectors, n_vectors, &report, error));
    print_outputs(path, model);
done:
    pml_selftest_report_deinit(&report);
    pml_free(vectors);
    pml_model_destroy(model);
    pml_file_close(file);
    return status;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        pml_error error = {0};
        if (digest(argv[i], &error) != PML_OK) {
            (void)fprintf(stderr, "output_digest: %s\n", error.message);
            return 1;
        }
    }
    return 0;
}
