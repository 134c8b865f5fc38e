/* Files below a folder that others write to as well: every part of a path is opened relative to the one before and
 * never through a symbolic link, so that no name leads out of it. Paths are checked ones (convert/hub/hub_name.h). */
#ifndef PML_CONVERT_HUB_FOLDER_H
#define PML_CONVERT_HUB_FOLDER_H

#include <sys/stat.h>

#include "runtime/base/error.h"

/* Opens the folder that holds `path` below `folder_fd`, making what is missing if `create`; *base points into `path`.
 * Errors: NOT_FOUND, IO. */
pml_status pml_hub_folder_parent(int folder_fd, const char *path, bool create, int *parent_fd, const char **base,
                                 pml_error *error) PML_WARN_UNUSED;
/* Opens the folder `path` itself likewise. */
pml_status pml_hub_folder_open(int folder_fd, const char *path, bool create, int *fd, pml_error *error) PML_WARN_UNUSED;

/* Reads a regular file of at most `most_bytes`; *bytes, with a zero behind its end, is the caller's.
 * Errors: NOT_FOUND, IO, FORMAT (too large, or no regular file), MEMORY. */
pml_status pml_hub_folder_read(int folder_fd, const char *path, size_t most_bytes, char **bytes, size_t *size_bytes,
                               pml_error *error) PML_WARN_UNUSED;
/* Writes a file whole or not at all: as the fresh file `scratch` below `scratch_fd` (of the same file system), synced,
 * then renamed. Errors: IO. */
pml_status pml_hub_folder_write(int folder_fd, const char *path, const void *bytes, size_t size_bytes, int scratch_fd,
                                const char *scratch, pml_error *error) PML_WARN_UNUSED;

/* Calls `visit` for what is in the folder, "." and ".." left out, in the order of names; an error ends the walk.
 * Errors: IO, MEMORY, those of `visit`. */
typedef pml_status pml_hub_visit_fn(void *user, int folder_fd, const char *name, const struct stat *info,
                                    pml_error *error);
pml_status pml_hub_folder_each(int folder_fd, pml_hub_visit_fn *visit, void *user, pml_error *error) PML_WARN_UNUSED;
/* The same for the folder `path` below another one; one that is not there is empty. */
pml_status pml_hub_folder_each_below(int folder_fd, const char *path, pml_hub_visit_fn *visit, void *user,
                                     pml_error *error) PML_WARN_UNUSED;
/* Removes `name` and, if it is a folder, all in it; links are removed, not followed. What is gone already is no error.
 * Errors: IO, MEMORY, FORMAT (folders are nested too deeply). */
pml_status pml_hub_folder_remove(int folder_fd, const char *name, pml_error *error) PML_WARN_UNUSED;

#endif
