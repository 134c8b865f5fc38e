#include "runtime/base/publish_text.h"

#include <stdlib.h>

#include "runtime/base/publish.h"

pml_status pml_publish_text(const char *path, void (*write)(FILE *stream, const void *user), const void *user,
                            pml_error *error) {
    pml_status status = PML_OK;
    pml_publish *publish = NULL;
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *stream = open_memstream(&text, &size_bytes);
    if (stream == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "not enough memory for the text of %s", path));
    }
    write(stream, user);
    bool failed = ferror(stream) != 0;
    failed = fclose(stream) != 0 || failed;
    if (failed) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "not enough memory for the text of %s", path));
    }
    PML_TRY(pml_publish_begin(path, size_bytes, true, &publish, error));
    PML_TRY(pml_publish_write(publish, 0, text, size_bytes, error));
    status = pml_publish_commit(publish, error);
    publish = NULL;
done:
    pml_publish_abort(publish);
    free(text); /* open_memstream's own */
    return status;
}
