/* A folder that is published whole or not at all: written under another name beside its place, then renamed. */
#ifndef PML_CONVERT_EXPORT_EXPORT_FOLDER_H
#define PML_CONVERT_EXPORT_EXPORT_FOLDER_H

#include <stdbool.h>

#include "runtime/base/error.h"

typedef struct pml_export_folder {
    char *target, *temporary; /* paths; `temporary` is where files are written */
    bool exists;              /* the temporary */
    bool replaces;            /* what `target` holds is known and may go */
} pml_export_folder;

/* Checks `target` and makes the temporary. An empty folder may be there; one that holds something only with `replace`,
 * and then nothing but files of the names in `known` (NULL-terminated; "folder/file" one deep). Errors: ARGUMENT, IO,
 * MEMORY. */
pml_status pml_export_folder_begin(const char *target, bool replace, const char *const *known,
                                   pml_export_folder *folder, pml_error *error) PML_WARN_UNUSED;
/* The path of a file in the temporary; a folder in front of its name is made. *path is the caller's (pml_free). */
pml_status pml_export_folder_path(const pml_export_folder *folder, const char *name, char **path,
                                  pml_error *error) PML_WARN_UNUSED;
/* Syncs the folder and puts it in its place. What was there is removed afterwards. */
pml_status pml_export_folder_commit(pml_export_folder *folder, pml_error *error) PML_WARN_UNUSED;
/* Frees, and removes what was not committed. */
void pml_export_folder_deinit(pml_export_folder *folder);

#endif
