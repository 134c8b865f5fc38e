/* A hub's list of models: what is taken from it is a line per repository, and nothing else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/batch/hub_query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = NULL;
    size_t length = 0;
    uint64_t n_models = 0, n_lines = 0;
    pml_error error = {0};
    FILE *stream = open_memstream(&text, &length);
    if (stream == NULL) {
        return 0;
    }
    const pml_status status = pml_hub_query_read_page((const char *)data, size, UINT64_MAX, stream, &n_models, &error);
    if (fclose(stream) != 0) {
        abort();
    }
    for (const char *at = text; *at != '\0'; at = strchr(at, '\n') + 1) {
        n_lines++;
        if (strncmp(at, "hf://", 5) != 0 || strchr(at, '\n') == NULL) {
            abort();
        }
    }
    if (status == PML_OK && n_lines != n_models) {
        abort();
    }
    free(text);
    return 0;
}
