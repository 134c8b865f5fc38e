/* Storage of a pml_source: what formats/format.c and the fuzz harnesses need beyond formats/format.h. */
#ifndef PML_FORMATS_SOURCE_H
#define PML_FORMATS_SOURCE_H

#include "formats/format.h"

/* An empty source of `format` for the file at `path`; its directory is that of the path. Errors: MEMORY. */
pml_status pml_source_create(const char *path, const pml_format *format, pml_source **source,
                             pml_error *error) PML_WARN_UNUSED;

/* The same in a folder, which it takes over, also on failure. Errors: MEMORY. */
pml_status pml_source_create_in(pml_folder *folder, const char *path, const pml_format *format, pml_source **source,
                                pml_error *error) PML_WARN_UNUSED;

/* A file whose bytes are in memory, borrowed until close. Errors: FORMAT (too many files), MEMORY. */
pml_status pml_source_add_memory(pml_source *source, const char *path, const void *bytes, size_t size_bytes,
                                 size_t *i_file, pml_error *error) PML_WARN_UNUSED;

/* Puts the tensors into the order that pml_source_tensor_at shows: by file, offset, name. Called by a provider that
 * wants to walk them so; pml_source_open calls it last. Errors: MEMORY. */
pml_status pml_source_sort(pml_source *source, pml_error *error) PML_WARN_UNUSED;

/* The format with the most evidence for what `probe` shows. Errors: UNSUPPORTED (none, or a tie). */
pml_status pml_format_choose(const pml_format *const *formats, const pml_probe *probe, const pml_format **format,
                             pml_error *error) PML_WARN_UNUSED;

#endif
