#include "convert/small_file.h"

#include "runtime/base/publish.h"

pml_status pml_small_file_write(const char *path, const void *bytes, size_t size_bytes, bool replace,
                                pml_error *error) {
    pml_status status = PML_OK;
    pml_publish *publish = NULL;
    PML_TRY(pml_publish_begin(path, size_bytes, replace, &publish, error));
    PML_TRY(pml_publish_write(publish, 0, bytes, size_bytes, error));
    pml_publish *finished = publish;
    publish = NULL;
    PML_TRY(pml_publish_commit(finished, error));
done:
    pml_publish_abort(publish);
    return status;
}
