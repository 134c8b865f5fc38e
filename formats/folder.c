#include "formats/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/file_map.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/quote.h"

enum { MAX_ENTRIES = 1000000, PATH_BYTES = 4096 };

struct pml_folder {
    char *path;
    pml_archive *archive; /* NULL: a directory */
};

pml_status pml_folder_create(const char *path, pml_folder **folder, pml_error *error) {
    pml_status status = PML_OK;
    pml_folder *made = NULL;
    *folder = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    PML_TRY(pml_string_copy(path, strlen(path), &made->path, error));
    *folder = made;
    made = NULL;
done:
    pml_folder_close(made);
    return status;
}

pml_status pml_folder_open_archive(const char *path, pml_folder **folder, pml_error *error) {
    pml_status status = PML_OK;
    pml_folder *made = NULL;
    *folder = NULL;
    PML_TRY(pml_folder_create(path, &made, error));
    PML_TRY(pml_archive_open(path, &made->archive, error));
    *folder = made;
    made = NULL;
done:
    pml_folder_close(made);
    return status;
}

void pml_folder_close(pml_folder *folder) {
    if (folder != NULL) {
        pml_archive_close(folder->archive);
        pml_free(folder->path);
        pml_free(folder);
    }
}

const char *pml_folder_path(const pml_folder *folder) {
    return folder->path;
}

bool pml_folder_is_archive(const pml_folder *folder) {
    return folder->archive != NULL;
}

/* ---- names ---- */
void pml_folder_names_deinit(pml_folder_names *names) {
    for (size_t i = 0; i < names->count; i++) {
        pml_free(names->items[i]);
    }
    pml_free(names->items);
    *names = (pml_folder_names){0};
}

static pml_status add_name(const pml_folder *folder, pml_folder_names *names, const char *name, pml_error *error) {
    pml_status status = PML_OK;
    status = pml_grow(&names->items, &names->capacity, names->count + 1, sizeof *names->items, MAX_ENTRIES,
                      "files in one directory", error);
    if (status == PML_E_FORMAT) {
        PML_TRY(pml_error_prefix(error, status, "%s", folder->path));
    }
    PML_TRY(status);
    PML_TRY(pml_string_copy(name, strlen(name), &names->items[names->count], error));
    names->count++;
done:
    return status;
}

static int compare_names(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static pml_status list_directory(const pml_folder *folder, pml_folder_names *names, pml_error *error) {
    pml_status status = PML_OK;
    DIR *directory = opendir(folder->path);
    if (directory == NULL) {
        PML_TRY(PML_FAIL(error, errno == ENOMEM ? PML_E_MEMORY : PML_E_IO, "%s: %s", folder->path, strerror(errno)));
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL && errno != 0) {
            PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", folder->path, strerror(errno)));
        }
        if (entry == NULL) {
            break;
        }
        if (entry->d_name[0] != '.') {
            PML_TRY(add_name(folder, names, entry->d_name, error));
        }
    }
    if (names->count > 0) {
        qsort(names->items, names->count, sizeof *names->items, compare_names);
    }
done:
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return status;
}

pml_status pml_folder_list(const pml_folder *folder, pml_folder_names *names, pml_error *error) {
    pml_status status = PML_OK;
    if (folder->archive == NULL) {
        PML_TRY(list_directory(folder, names, error));
        goto done;
    }
    for (size_t i = 0; i < pml_archive_n_members(folder->archive); i++) {
        PML_TRY(add_name(folder, names, pml_archive_name_at(folder->archive, i), error));
    }
done:
    return status;
}

/* ---- files ---- */
static bool find_member(const pml_folder *folder, const char *name, pml_file_map *map) {
    const uint8_t *bytes;
    uint64_t size_bytes;
    if (!pml_archive_find(folder->archive, name, &bytes, &size_bytes)) {
        return false;
    }
    *map = (pml_file_map){.data = bytes, .size_bytes = (size_t)size_bytes};
    return true;
}

bool pml_folder_has(const pml_folder *folder, const char *name) {
    char path[PATH_BYTES];
    struct stat info;
    pml_file_map map;
    if (folder->archive != NULL) {
        return find_member(folder, name, &map);
    }
    const int n = snprintf(path, sizeof path, "%s/%s", folder->path, name);
    return n > 0 && (size_t)n < sizeof path && lstat(path, &info) == 0;
}

pml_status pml_folder_map_path(const pml_folder *folder, const char *path, pml_file_map *map, pml_error *error) {
    if (folder->archive == NULL) {
        return pml_foreign_map(path, map, error);
    }
    const size_t length = strlen(folder->path);
    if (strncmp(path, folder->path, length) != 0 || path[length] != '/' ||
        !find_member(folder, path + length + 1, map)) {
        return PML_FAIL(error, PML_E_NOT_FOUND, "%s: no such file in the archive", path);
    }
    return pml_foreign_check(path, map, error);
}

pml_status pml_folder_map_sibling(const pml_folder *folder, const char *name, const char *named_by, pml_file_map *map,
                                  pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    if (folder->archive == NULL) {
        PML_TRY(pml_file_map_open_sibling(folder->path, name, named_by, map, error));
        goto done;
    }
    if (!find_member(folder, name, map)) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "%.500s: the file %s: is missing in %s", named_by,
                         pml_quote(&quoted, name), folder->path));
    }
    PML_TRY(pml_foreign_check(folder->path, map, error));
done:
    return status;
}
