/* A file of text to train on: mapped, checked to be UTF-8, read line by line. */
#ifndef PML_RUNTIME_TRAIN_DATA_TEXT_FILE_H
#define PML_RUNTIME_TRAIN_DATA_TEXT_FILE_H

#include "runtime/base/input.h"

typedef struct pml_text_file { /* zero = safe to close */
    const char *path;          /* borrowed */
    const char *text;          /* behind a byte order mark */
    size_t size_bytes;
    pml_file_map map;
} pml_text_file;

/* Errors: those of pml_file_map_open (a directory or a pipe is ARGUMENT), FORMAT with the line (not UTF-8, a NUL
 * byte). */
pml_status pml_text_file_open(const char *path, pml_text_file *file, pml_error *error) PML_WARN_UNUSED;
void pml_text_file_close(pml_text_file *file);

typedef struct pml_text_line { /* zero = before the first line */
    size_t begin, end;         /* of `text`, without LF, CR or CRLF */
    size_t next;
    size_t number; /* from 1 */
} pml_text_line;
/* The next line that holds more than white space; false: there is none. */
bool pml_text_file_next(const pml_text_file *file, pml_text_line *line);

#endif
