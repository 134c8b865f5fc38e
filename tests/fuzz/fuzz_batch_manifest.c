/* Manifests of batches: whatever the text, every job that comes out of it stays below the output folder. */
#include <stdlib.h>
#include <string.h>

#include "convert/batch/batch_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pml_manifest manifest;
    pml_error error = {0};
    if (pml_manifest_parse((const char *)data, size, "manifest", NULL, 0, &manifest, &error) != PML_OK) {
        if (error.message[0] == '\0') {
            abort();
        }
        return 0;
    }
    for (size_t i = 0; i < manifest.n_jobs; i++) {
        const pml_batch_job *job = &manifest.jobs[i];
        const size_t length = strlen(job->output);
        if (job->source[0] == '\0' || job->id == NULL || job->output[0] == '/' || strncmp(job->output, "../", 3) == 0 ||
            strstr(job->output, "/../") != NULL || strchr(job->output, '\x1b') != NULL || length < 5 ||
            strcmp(job->output + length - 4, ".pml") != 0 || job->options.n_arguments == 0 ||
            (!job->is_local && (job->source[0] == '-' || strstr(job->source, "..") != NULL))) {
            abort();
        }
    }
    pml_manifest_deinit(&manifest);
    return 0;
}
