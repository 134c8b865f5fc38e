/* Text files: whole or not at all. */
#ifndef PML_RUNTIME_BASE_PUBLISH_TEXT_H
#define PML_RUNTIME_BASE_PUBLISH_TEXT_H

#include <stdio.h>

#include "runtime/base/error.h"

/* Writes what `write` prints into a file. Errors: MEMORY, and those of pml_publish_begin and pml_publish_commit. */
pml_status pml_publish_text(const char *path, void (*write)(FILE *stream, const void *user), const void *user,
                            pml_error *error) PML_WARN_UNUSED;

#endif
