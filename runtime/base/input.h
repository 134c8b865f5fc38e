/* Regular files for reading: opened without waiting for a pipe's writer or taking a terminal, mapped, or read whole.
 *
 * What to call a directory, a FIFO or a device in the place of a file depends on who asks: `not_regular` is the status
 * that it then is. Errors of every function that takes a path: NOT_FOUND, IO, `not_regular`. */
#ifndef PML_RUNTIME_BASE_INPUT_H
#define PML_RUNTIME_BASE_INPUT_H

#include <fcntl.h>

#include "runtime/base/error.h"

/* For open and openat. */
enum { PML_INPUT_FLAGS = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY };

/* *fd is the caller's to close. */
pml_status pml_input_open(const char *path, pml_status not_regular, int *fd, uint64_t *size_bytes,
                          pml_error *error) PML_WARN_UNUSED;
/* What pml_input_open says when `path` could not be opened, `code` being errno. */
pml_status pml_input_failure(const char *path, int code, pml_error *error);

/* Reads a file of at most `most_bytes`; *bytes, with a zero behind its end, is the caller's (pml_free).
 * Errors also: FORMAT (too large), MEMORY. */
pml_status pml_input_read(const char *path, pml_status not_regular, uint64_t most_bytes, char **bytes,
                          size_t *size_bytes, pml_error *error) PML_WARN_UNUSED;

typedef struct pml_file_map { /* read-only; all zero = nothing mapped, safe to close */
    const uint8_t *data;      /* not NULL once opened, also for an empty file */
    size_t size_bytes;
    bool is_mapped;
} pml_file_map;

/* Follows symbolic links. Errors also: MEMORY. */
pml_status pml_file_map_open(const char *path, pml_status not_regular, pml_file_map *map,
                             pml_error *error) PML_WARN_UNUSED;
/* The same of an open descriptor, which it closes; `shown` is what messages call the file. */
pml_status pml_file_map_take(int fd, const char *shown, pml_status not_regular, pml_file_map *map,
                             pml_error *error) PML_WARN_UNUSED;
void pml_file_map_close(pml_file_map *map);

#endif
