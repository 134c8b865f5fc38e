/* Files that are written from one piece of memory, whole or not at all. */
#ifndef PML_CONVERT_SMALL_FILE_H
#define PML_CONVERT_SMALL_FILE_H

#include "runtime/base/error.h"

/* Errors: those of pml_publish_begin and pml_publish_commit. */
pml_status pml_small_file_write(const char *path, const void *bytes, size_t size_bytes, bool replace,
                                pml_error *error) PML_WARN_UNUSED;

#endif
