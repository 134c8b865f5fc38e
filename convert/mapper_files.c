#include "convert/mapper_files.h"

#include <stdio.h>
#include <string.h>

#include "convert/side_file.h"
#include "formats/file_map.h"
#include "formats/json_document.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"

#define PATH_BYTES 4096u
#define MAX_FILES 256u

static pml_status load(const pml_folder *folder, pml_mapper_file *file, pml_error *error) {
    pml_status status = PML_OK;
    pml_file_map map = {0};
    char shown[PATH_BYTES];
    (void)snprintf(shown, sizeof shown, "%s/%s", pml_folder_path(folder), file->name);
    PML_TRY(pml_folder_map_sibling(folder, file->name, pml_folder_path(folder), &map, error));
    if (map.size_bytes > PML_MAX_CONFIG_BYTES) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: %llu bytes; at most %llu are read", shown,
                         (unsigned long long)map.size_bytes, (unsigned long long)PML_MAX_CONFIG_BYTES));
    }
    PML_TRY(pml_hash_bytes(map.data, map.size_bytes, file->sha256, error));
    PML_TRY(pml_json_document_parse((const char *)map.data, map.size_bytes, shown, &file->root, error));
done:
    pml_file_map_close(&map);
    return status;
}

static bool is_listed(const pml_mapper_files *files, const char *name) {
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->items[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static pml_status add(const pml_folder *folder, const char *name, pml_mapper_files *files, size_t *capacity,
                      pml_error *error) {
    pml_status status = PML_OK;
    if (!pml_folder_has(folder, name) || is_listed(files, name)) {
        goto done;
    }
    PML_TRY(pml_grow(&files->items, capacity, files->count + 1, sizeof *files->items, MAX_FILES, "files of mappers",
                     error));
    pml_mapper_file *file = &files->items[files->count];
    *file = (pml_mapper_file){.name = name};
    PML_TRY(load(folder, file, error));
    files->count++;
done:
    return status;
}

pml_status pml_mapper_files_load(const pml_folder *folder, pml_mapper_files *files, pml_error *error) {
    pml_status status = PML_OK;
    pml_mapper_files result = {0};
    size_t capacity = 0;
    for (size_t i = 0; pml_mappers[i] != NULL; i++) {
        const char *const *names = pml_mappers[i]->side_files;
        for (; names != NULL && *names != NULL; names++) {
            PML_TRY(add(folder, *names, &result, &capacity, error));
        }
    }
    PML_TRY(pml_alloc(result.count, sizeof *result.sides, &result.sides, error));
    for (size_t i = 0; i < result.count; i++) {
        result.sides[i] = (pml_map_side){result.items[i].name, result.items[i].root};
    }
    *files = result;
    result = (pml_mapper_files){0};
done:
    pml_mapper_files_deinit(&result);
    return status;
}

pml_status pml_mapper_files_add(pml_mapper_files *files, const char *name, const char *path, pml_error *error) {
    pml_status status = PML_OK;
    pml_side_file file = {.path = NULL};
    pml_mapper_file added = {.name = name};
    pml_map_side *sides = NULL;
    size_t capacity = files->count;
    PML_TRY(pml_side_file_read(path, PML_MAX_CONFIG_BYTES, &file, error));
    PML_TRY(pml_json_document_parse(file.text, file.size_bytes, path, &added.root, error));
    (void)snprintf(added.sha256, sizeof added.sha256, "%s", file.sha256);
    PML_TRY(pml_grow(&files->items, &capacity, files->count + 1, sizeof *files->items, MAX_FILES, "files of mappers",
                     error));
    PML_TRY(pml_alloc(files->count + 1, sizeof *sides, &sides, error));
    files->items[files->count++] = added;
    added.root = NULL;
    for (size_t i = 0; i < files->count; i++) {
        sides[i] = (pml_map_side){files->items[i].name, files->items[i].root};
    }
    pml_free(files->sides);
    files->sides = sides;
done:
    cJSON_Delete(added.root);
    pml_side_file_deinit(&file);
    return status;
}

void pml_mapper_files_deinit(pml_mapper_files *files) {
    for (size_t i = 0; i < files->count; i++) {
        cJSON_Delete(files->items[i].root);
    }
    pml_free(files->items);
    pml_free(files->sides);
    *files = (pml_mapper_files){0};
}
