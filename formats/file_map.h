/* One foreign file, mapped read-only: how every provider gets at bytes. Regular files only, never blocking on a pipe or
 * device. */
#ifndef PML_FORMATS_FILE_MAP_H
#define PML_FORMATS_FILE_MAP_H

#include "runtime/base/error.h"

typedef struct pml_file_map { /* all zero = nothing mapped, safe to close */
    const uint8_t *data;      /* not NULL once opened, also for an empty file */
    uint64_t size_bytes;
    bool is_mapped;
} pml_file_map;

/* Maps the file at `path`, following symbolic links: for paths that the user gave.
 * Errors: NOT_FOUND, IO (no permission, not a regular file, ...). */
pml_status pml_file_map_open(const char *path, pml_file_map *map, pml_error *error) PML_WARN_UNUSED;

/* Maps `base_name` in `directory`: for names that another file gave, `named_by` (for messages). The name must be one
 * path component that stays in the directory, and the file a regular one; a symbolic link is followed only where a hub
 * cache has it, from a snapshot to "(../)+blobs/<40 or 64 hexadecimal digits>". Errors: FORMAT (the name or the link
 * leaves the directory), NOT_FOUND, IO, MEMORY. */
pml_status pml_file_map_open_sibling(const char *directory, const char *base_name, const char *named_by,
                                     pml_file_map *map, pml_error *error) PML_WARN_UNUSED;

void pml_file_map_close(pml_file_map *map);

/* True when `name` is one path component that is neither empty, "." nor "..": no '/', no '\', no drive, no control
 * character. */
bool pml_is_base_name(const char *name);
bool pml_name_ends_with(const char *name, const char *ending);

#endif
