/* The card that goes with a shipped model: one JSON object that says what the file is, for people and programs that do
 * not have it yet. */
#ifndef PML_CONVERT_CARD_H
#define PML_CONVERT_CARD_H

#include "convert/ship/packed.h"
#include "runtime/file/reader.h"

typedef struct pml_card { /* borrowed */
    const char *name;     /* "etth1" */
    const char *file_name, *shipped_name;
    const pml_packed_report *packed;
    const char *delta_from; /* base name of the file that a delta is made against; NULL: whole */
} pml_card;

/* Writes it to `path`, replacing an older one: names and sizes, SHA-256, content digest, general.*, config.*, series.*
 * and provenance.* of the metadata, inputs and outputs with their shapes (free axes by letter), what the tensors add up
 * to, the greatest quantization error, blobs. Errors: IO, MEMORY. */
pml_status pml_card_write(const pml_file *file, const pml_card *card, const char *path,
                          pml_error *error) PML_WARN_UNUSED;

#endif
