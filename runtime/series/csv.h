/* Strict CSV, record by record, in bounded memory: commas, quotes as in RFC 4180, a header that fixes the number of
 * fields, LF, CRLF or CR, an optional UTF-8 byte order mark, blank lines ignored. */
#ifndef PML_RUNTIME_SERIES_CSV_H
#define PML_RUNTIME_SERIES_CSV_H

#include <locale.h>
#include <stdio.h>

#include "runtime/base/error.h"
#include "runtime/base/limits.h"

/* Takes one record; the first is the header. Fields are zero-terminated, without quotes and without blanks around them,
 * and borrowed for the call. `line` is that on which the record ends, from 1. An error ends the reading. */
typedef pml_status pml_csv_record_fn(void *user, const char *const *fields, size_t n_fields, uint64_t line,
                                     pml_error *error);

/* Reads text in memory. `file_name` is for messages. Errors: FORMAT (quotes, NUL bytes, a record whose number of fields
 * is not the header's, more than PML_MAX_CSV_COLUMNS fields, a field beyond PML_MAX_CSV_FIELD_BYTES, nothing at all),
 * MEMORY, INTERRUPTED, and what `record` returns. */
pml_status pml_csv_parse(const void *bytes, size_t size_bytes, const char *file_name, pml_csv_record_fn *record,
                         void *user, pml_error *error) PML_WARN_UNUSED;

/* The same from a regular file, through a small buffer. Errors also: NOT_FOUND, IO, ARGUMENT (not a regular file). */
pml_status pml_csv_read(const char *path, pml_csv_record_fn *record, void *user, pml_error *error) PML_WARN_UNUSED;

/* Reads a decimal number in C notation: sign, digits, point, exponent, nothing else. False when the text is not one, or
 * too large for a double. `locale` is a C locale. */
bool pml_csv_number(const char *text, locale_t locale, double *value);
/* True for the spellings of a missing value: nothing, NA, N/A, NaN and null in any case. */
bool pml_csv_is_missing(const char *text);

/* Writes one field, quoted only where it must be. Failures stay in the stream's error flag. */
void pml_csv_write_field(FILE *stream, const char *text);

#endif
