/* Text of foreign files, made safe to print: names must not drive the reader's terminal. */
#ifndef PML_RUNTIME_CLI_PRINTABLE_H
#define PML_RUNTIME_CLI_PRINTABLE_H

#include <stdio.h>

#include "runtime/base/error.h"

/* The printable form of `length_bytes` bytes at `text`, an owned string (pml_free). Control characters (C0, DEL, C1),
 * characters that change the direction of text or are line separators, and bytes that are not UTF-8 become \n, \t, \xNN
 * or \u{NNNN}; a backslash becomes two, so that the form is unambiguous. Everything else stays. Errors: MEMORY. */
pml_status pml_printable_copy(const char *text, size_t length_bytes, char **printable,
                              pml_error *error) PML_WARN_UNUSED;

/* Writes the printable form of a text, zero-terminated or of that length, to `stream`. */
void pml_printable_write(FILE *stream, const char *text);
void pml_printable_write_bytes(FILE *stream, const char *text, size_t length_bytes);

/* Columns of a terminal that a printable UTF-8 text takes, one per character. */
size_t pml_printable_width(const char *text);

#endif
