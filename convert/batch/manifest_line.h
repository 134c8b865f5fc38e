/* One line of a manifest, taken apart. */
#ifndef PML_CONVERT_BATCH_MANIFEST_LINE_H
#define PML_CONVERT_BATCH_MANIFEST_LINE_H

#include "runtime/base/arena.h"

enum { PML_LINE_MAX_OPTIONS = 64 };

typedef enum pml_line_field {
    PML_LINE_SOURCE,
    PML_LINE_REVISION,
    PML_LINE_DTYPE,
    PML_LINE_OPTIONS, /* blank-separated; only of lines with tabs, see options below */
    PML_LINE_OUTPUT,
    PML_LINE_ID,
    PML_LINE_FIELDS
} pml_line_field;

typedef struct pml_manifest_line {
    const char *fields[PML_LINE_FIELDS]; /* NULL: not given */
    const char *options[PML_LINE_MAX_OPTIONS];
    size_t n_options;
    bool is_header; /* it names the columns of the lines that follow */
} pml_manifest_line;

/* Which field each column of a line with tabs holds. */
typedef struct pml_manifest_columns {
    pml_line_field fields[16];
    size_t count;
} pml_manifest_columns;

/* Reads `length` bytes without line end. A header changes *columns. `name` and `i_line` are for messages.
 * Errors: CONFIG, MEMORY. */
pml_status pml_manifest_line_read(const char *text, size_t length, const char *name, size_t i_line,
                                  pml_manifest_columns *columns, pml_arena *texts, pml_manifest_line *line,
                                  pml_error *error) PML_WARN_UNUSED;

#endif
