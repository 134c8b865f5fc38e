/* Where a source and the files beside it lie: a directory, or an archive read as one (formats/archive.h). */
#ifndef PML_FORMATS_FOLDER_H
#define PML_FORMATS_FOLDER_H

#include "formats/archive.h"
#include "runtime/base/input.h"

typedef struct pml_folder pml_folder;

/* A directory; nothing is opened yet. Errors: MEMORY. */
pml_status pml_folder_create(const char *path, pml_folder **folder, pml_error *error) PML_WARN_UNUSED;
/* The folder that an archive holds. Errors: those of pml_archive_open. */
pml_status pml_folder_open_archive(const char *path, pml_folder **folder, pml_error *error) PML_WARN_UNUSED;
void pml_folder_close(pml_folder *folder); /* NULL is allowed */

const char *pml_folder_path(const pml_folder *folder); /* of the directory or the archive */
bool pml_folder_is_archive(const pml_folder *folder);

typedef struct pml_folder_names { /* zero = empty, safe to deinit */
    char **items;                 /* ascending byte order */
    size_t count, capacity;
} pml_folder_names;

/* The names in it, hidden ones left out: of a directory what lies in it, of an archive every file, with the folders in
 * front of its name. Errors: IO, FORMAT (too many), MEMORY. */
pml_status pml_folder_list(const pml_folder *folder, pml_folder_names *names, pml_error *error) PML_WARN_UNUSED;
void pml_folder_names_deinit(pml_folder_names *names);

/* Whether something of this name, which may have folders in front, is there (a link to nowhere is something). */
bool pml_folder_has(const pml_folder *folder, const char *name);

/* Maps the file at `path`, which is that of the folder, a '/' and a name; for a directory any other path too.
 * Errors: those of pml_foreign_map. */
pml_status pml_folder_map_path(const pml_folder *folder, const char *path, pml_file_map *map,
                               pml_error *error) PML_WARN_UNUSED;
/* Maps a file of the folder that another file names, `named_by` (for messages): "name" or, in real folders of it,
 * "folder/name". What is mapped out of an archive lasts as long as the folder. Errors: those of
 * pml_file_map_open_sibling. */
pml_status pml_folder_map_sibling(const pml_folder *folder, const char *name, const char *named_by, pml_file_map *map,
                                  pml_error *error) PML_WARN_UNUSED;

#endif
