/* SHA256SUMS as sha256sum writes and checks it: "<64 hexadecimal digits>  <base name>" a line, by name. */
#ifndef PML_CONVERT_SUMS_H
#define PML_CONVERT_SUMS_H

#include "convert/hash.h"

#define PML_SUMS_NAME "SHA256SUMS"
#define PML_SUMS_SIGNATURE_NAME "SHA256SUMS.sig"

typedef struct pml_sum {
    char *name;
    char sha256[PML_SHA256_TEXT_BYTES];
} pml_sum;

typedef struct pml_sums { /* zero = empty, safe to deinit; ascending names */
    pml_sum *items;
    size_t count, capacity;
} pml_sums;

/* Reads the file at `path`; one that is not there is empty. Errors: FORMAT (a line of another form, a name that is no
 * base name or stands twice), IO, MEMORY. */
pml_status pml_sums_read(const char *path, pml_sums *sums, pml_error *error) PML_WARN_UNUSED;
/* Adds a line, or replaces that of the same name. Errors: ARGUMENT (no base name), MEMORY. */
pml_status pml_sums_set(pml_sums *sums, const char *name, const char *sha256, pml_error *error) PML_WARN_UNUSED;
const pml_sum *pml_sums_find(const pml_sums *sums, const char *name); /* NULL: no such line */
/* Writes the file, replacing an older one. Errors: IO, MEMORY. */
pml_status pml_sums_write(const pml_sums *sums, const char *path, pml_error *error) PML_WARN_UNUSED;
void pml_sums_deinit(pml_sums *sums);

#endif
