/* Cells are kept as one run of zero-terminated texts: a table of a million rows is a few allocations. */
#include "convert/text_table.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/cli/printable.h"

void pml_text_table_init(pml_text_table *table, size_t n_columns, unsigned right_aligned) {
    *table = (pml_text_table){.n_columns = n_columns, .right_aligned = right_aligned};
}

void pml_text_table_deinit(pml_text_table *table) {
    pml_free(table->text);
    *table = (pml_text_table){0};
}

static pml_status append(pml_text_table *table, const char *cell, size_t *width, pml_error *error) {
    pml_status status = PML_OK;
    char *printable = NULL;
    PML_TRY(pml_printable_copy(cell, strlen(cell), &printable, error));
    size_t size = strlen(printable) + 1;
    PML_TRY(pml_grow(&table->text, &table->text_capacity, table->text_bytes + size, 1, SIZE_MAX / 2,
                     "bytes of table text", error));
    memcpy(table->text + table->text_bytes, printable, size);
    table->text_bytes += size;
    *width = pml_printable_width(printable);
done:
    pml_free(printable);
    return status;
}

pml_status pml_text_table_row(pml_text_table *table, const char *const *cells, pml_error *error) {
    pml_status status = PML_OK;
    size_t before = table->text_bytes;
    size_t width[PML_TEXT_TABLE_MAX_COLUMNS] = {0};
    for (size_t i = 0; i < table->n_columns; i++) {
        PML_TRY(append(table, cells[i], &width[i], error));
    }
    for (size_t i = 0; i < table->n_columns; i++) {
        table->width[i] = width[i] > table->width[i] ? width[i] : table->width[i];
    }
    table->n_rows++;
done:
    if (status != PML_OK) {
        table->text_bytes = before; /* a row is there whole or not at all */
    }
    return status;
}

void pml_text_table_print(const pml_text_table *table, FILE *stream, unsigned indent) {
    const char *cell = table->text;
    for (size_t i_row = 0; i_row < table->n_rows; i_row++) {
        size_t blanks = indent; /* owed before the next text of this line */
        for (size_t i = 0; i < table->n_columns; i++) {
            size_t pad = table->width[i] - pml_printable_width(cell);
            bool right = (table->right_aligned >> i & 1u) != 0;
            if (*cell != '\0') {
                fprintf(stream, "%*s%s", (int)(blanks + (right ? pad : 0)), "", cell);
                blanks = right ? 0 : pad;
            } else {
                blanks += pad;
            }
            blanks += 2;
            cell += strlen(cell) + 1;
        }
        fputc('\n', stream);
    }
}
