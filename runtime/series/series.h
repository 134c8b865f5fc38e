/* A multivariate series read from a CSV file: rows of numbers under column names, with or without a date per row. */
#ifndef PML_RUNTIME_SERIES_SERIES_H
#define PML_RUNTIME_SERIES_SERIES_H

#include "runtime/series/timestamps.h"

typedef struct pml_series { /* everything owned by the series */
    size_t n_rows, n_columns;
    char **columns;     /* names of the value columns */
    double *values;     /* [n_rows][n_columns]; NaN = missing */
    char *date_column;  /* its name; NULL: none, or not read */
    int64_t *stamps_us; /* [n_rows]; NULL without date column */
    uint64_t *lines;    /* [n_rows] where each ends in the file; NULL: row i on line i + 2, as without blank lines */
    pml_stamp_form stamp_form;
} pml_series;

typedef struct pml_series_request {
    const char *const *columns; /* those to read, in that order; NULL: every column of numbers, in the file's order */
    size_t n_columns;
    bool without_dates; /* the date column is recognised, but its text is not looked at */
} pml_series_request;

/* Reads a CSV file. A column is the date column when it is called date, time, timestamp, datetime or ds (in any case),
 * or when it is the first and its first field is a date; one that is asked for by name is never it. Asked for by name,
 * columns may stand in any order beside others; otherwise columns that begin with text, and an index column without a
 * name, are passed over with a word in the log. Errors: those of pml_csv_read; FORMAT with file, line and column (not a
 * number, not a date, a name twice, values in place of names, no rows, no numbers); NOT_FOUND for the file; CONFIG (a
 * wanted column is absent).
 */
pml_status pml_series_read(const char *path, const pml_series_request *request, pml_series **series,
                           pml_error *error) PML_WARN_UNUSED;
/* The same from text in memory. */
pml_status pml_series_parse(const void *bytes, size_t size_bytes, const char *file_name,
                            const pml_series_request *request, pml_series **series, pml_error *error) PML_WARN_UNUSED;
void pml_series_destroy(pml_series *series); /* NULL is allowed */

/* The line of the file that a row ends on, from 1, for messages. */
static inline unsigned long long pml_series_line(const pml_series *series, size_t i_row) {
    return series->lines != NULL ? series->lines[i_row] : (unsigned long long)i_row + 2;
}

#endif
