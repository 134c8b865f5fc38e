#include "convert/side_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/alloc.h"
#include "runtime/base/input.h"

pml_status pml_side_file_read(const char *path, uint64_t most_bytes, pml_side_file *file, pml_error *error) {
    pml_status status = PML_OK;
    pml_side_file made = {0};
    PML_TRY(pml_input_read(path, PML_E_FORMAT, most_bytes, &made.text, &made.size_bytes, error));
    PML_TRY(pml_hash_bytes(made.text, made.size_bytes, made.sha256, error));
    PML_TRY(pml_string_copy(path, strlen(path), &made.path, error));
    const char *slash = strrchr(made.path, '/');
    made.name = slash != NULL ? slash + 1 : made.path;
    *file = made;
    made = (pml_side_file){0};
done:
    pml_side_file_deinit(&made);
    return status;
}

pml_status pml_side_file_find(const char *directory, const char *name, uint64_t most_bytes, pml_side_file *file,
                              pml_error *error) {
    char path[PATH_MAX];
    struct stat info;
    const int n = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (n < 0 || (size_t)n >= sizeof path) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s: the path is too long", directory);
    }
    if (lstat(path, &info) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return PML_OK;
    }
    return pml_side_file_read(path, most_bytes, file, error);
}

void pml_side_file_forget_text(pml_side_file *file) {
    pml_free(file->text);
    file->text = NULL;
}

void pml_side_file_deinit(pml_side_file *file) {
    pml_free(file->path);
    pml_free(file->text);
    *file = (pml_side_file){0};
}
