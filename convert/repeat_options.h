/* The options of a finished conversion, read back from the file that it wrote. */
#ifndef PML_CONVERT_REPEAT_OPTIONS_H
#define PML_CONVERT_REPEAT_OPTIONS_H

#include "convert/plan.h"
#include "runtime/file/reader.h"

typedef struct pml_repeat {      /* zero = safe to deinit */
    pml_convert_options options; /* borrows from the file; source, output and paths are the caller's to set */
    const char **settings;       /* owned; the texts belong to the file */
    const char **type_rules;     /* likewise */
} pml_repeat;

/* Reads "provenance.options" of `file`. Errors: CONFIG (not recorded, or recorded by a converter that knew more
 * options), MEMORY. */
pml_status pml_repeat_read(const pml_file *file, pml_repeat *repeat, pml_error *error) PML_WARN_UNUSED;
void pml_repeat_deinit(pml_repeat *repeat);

/* A list of texts in the file's metadata. Errors: CONFIG (absent or of another type). */
pml_status pml_repeat_texts(const pml_file *file, const char *key, const char *const **texts, size_t *count,
                            pml_error *error) PML_WARN_UNUSED;

#endif
