/* Tables for people: cells collected row by row, printed with aligned columns. */
#ifndef PML_CONVERT_TEXT_TABLE_H
#define PML_CONVERT_TEXT_TABLE_H

#include <stdio.h>

#include "runtime/base/error.h"

#define PML_TEXT_TABLE_MAX_COLUMNS 12u

typedef struct pml_text_table { /* storage of the caller */
    char *text;                 /* the cells, zero-terminated, one after the other */
    size_t text_bytes, text_capacity;
    size_t n_rows;
    size_t n_columns;
    unsigned right_aligned; /* bit i: column i holds numbers */
    size_t width[PML_TEXT_TABLE_MAX_COLUMNS];
} pml_text_table;

void pml_text_table_init(pml_text_table *table, size_t n_columns, unsigned right_aligned);
void pml_text_table_deinit(pml_text_table *table);

/* Appends a row of n_columns texts, made printable (runtime/cli/printable.h). Errors: MEMORY. */
pml_status pml_text_table_row(pml_text_table *table, const char *const *cells, pml_error *error) PML_WARN_UNUSED;

/* Prints all rows, each after `indent` spaces, columns two spaces apart, no blanks at the ends of lines. */
void pml_text_table_print(const pml_text_table *table, FILE *stream, unsigned indent);

#endif
