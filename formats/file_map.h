/* Foreign files, mapped: how every provider gets at bytes, without being led out of a directory by the names in them.
 */
#ifndef PML_FORMATS_FILE_MAP_H
#define PML_FORMATS_FILE_MAP_H

#include "runtime/base/input.h"

/* Maps the file at `path`, following symbolic links: for paths that the user gave. A Git LFS pointer in place of the
 * file is refused as such. Errors: NOT_FOUND, IO (not a regular file too), FORMAT, MEMORY. */
pml_status pml_foreign_map(const char *path, pml_file_map *map, pml_error *error) PML_WARN_UNUSED;

/* What pml_foreign_map refuses of a file that is mapped already: closes it then. Errors: FORMAT. */
pml_status pml_foreign_check(const char *shown, pml_file_map *map, pml_error *error) PML_WARN_UNUSED;

/* Maps a file in `directory`: for names that another file gave, `named_by` (for messages). The name is "file" or
 * "folder/file"; every part must be one path component that stays in the directory, folders real ones, and the file a
 * regular one; a symbolic link is followed only where a hub cache has it, from a snapshot to
 * "(../)+blobs/<40 or 64 hexadecimal digits>". Errors: FORMAT (the name or a link leaves the directory; a Git LFS
 * pointer), NOT_FOUND, IO (not a regular file too), MEMORY. */
pml_status pml_file_map_open_sibling(const char *directory, const char *name, const char *named_by, pml_file_map *map,
                                     pml_error *error) PML_WARN_UNUSED;

/* True when `name` is one path component that is neither empty, "." nor "..": no '/', no '\', no drive, no control
 * character. */
bool pml_is_base_name(const char *name);
bool pml_name_ends_with(const char *name, const char *ending);

#endif
