#include "convert/side_file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/input.h"

/* Takes `text` over, also on failure. */
static pml_status describe(const char *path, char *text, size_t size_bytes, pml_side_file *file, pml_error *error) {
    pml_status status = PML_OK;
    pml_side_file made = {.text = text, .size_bytes = size_bytes};
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

pml_status pml_side_file_read(const char *path, uint64_t most_bytes, pml_side_file *file, pml_error *error) {
    pml_status status = PML_OK;
    char *text = NULL;
    size_t size_bytes;
    PML_TRY(pml_input_read(path, PML_E_FORMAT, most_bytes, &text, &size_bytes, error));
    PML_TRY(describe(path, text, size_bytes, file, error));
done:
    return status;
}

/* A member of an archive, copied: what is parsed ends with a zero byte. */
static pml_status read_member(const pml_folder *folder, const char *path, uint64_t most_bytes, pml_side_file *file,
                              pml_error *error) {
    pml_status status = PML_OK;
    pml_file_map map = {0};
    char *text = NULL;
    PML_TRY(pml_folder_map_path(folder, path, &map, error));
    if (map.size_bytes > most_bytes) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: %llu bytes, where at most %llu bytes are read", path,
                         (unsigned long long)map.size_bytes, (unsigned long long)most_bytes));
    }
    PML_TRY(pml_string_copy((const char *)map.data, map.size_bytes, &text, error));
    PML_TRY(describe(path, text, map.size_bytes, file, error));
done:
    pml_file_map_close(&map);
    return status;
}

pml_status pml_side_file_find(const pml_folder *folder, const char *name, uint64_t most_bytes, pml_side_file *file,
                              pml_error *error) {
    char path[PATH_MAX];
    const int n = snprintf(path, sizeof path, "%s/%s", pml_folder_path(folder), name);
    if (n < 0 || (size_t)n >= sizeof path) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s: the path is too long", pml_folder_path(folder));
    }
    if (!pml_folder_has(folder, name)) {
        return PML_OK;
    }
    return pml_folder_is_archive(folder) ? read_member(folder, path, most_bytes, file, error)
                                         : pml_side_file_read(path, most_bytes, file, error);
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
