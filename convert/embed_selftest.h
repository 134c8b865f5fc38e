/* Recorded vectors that travel inside a .pml file (blob "selftest"), so that the machine it lands on can prove itself.
 */
#ifndef PML_CONVERT_EMBED_SELFTEST_H
#define PML_CONVERT_EMBED_SELFTEST_H

#include "runtime/file/reader.h"

#define PML_MAX_SELFTEST_BYTES ((size_t)4 << 20) /* a few vectors, not a data set */

typedef struct pml_selftest_bytes {
    uint8_t *bytes; /* owned (pml_free); NULL: none */
    size_t size_bytes;
} pml_selftest_bytes;

/* Reads the vectors of `vectors_path`, runs the model in `file` on them, and encodes those of the model's ports.
 * Errors: MISMATCH (names the first output that is not reproduced), ARGUMENT (no output recorded, more than
 * PML_MAX_SELFTEST_BYTES), those of pml_source_open and pml_model_create. */
pml_status pml_selftest_prepare(pml_file *file, const char *vectors_path, pml_selftest_bytes *selftest,
                                size_t *n_outputs, pml_error *error) PML_WARN_UNUSED;

#endif
