/* What a file holds, for people and for programs: any .pml and any source that a format provider reads. */
#ifndef PML_CONVERT_INSPECT_H
#define PML_CONVERT_INSPECT_H

#include <stdio.h>

#include "formats/format.h"
#include "runtime/file/reader.h"

typedef struct pml_inspect_options {
    bool json;            /* one object instead of tables */
    bool without_tensors; /* leave the tensor table out */
    bool quality;         /* of a .pml only what rounding took away (convert/quality.h) */
} pml_inspect_options;

/* Opens `path` (a .pml file, a source file or a directory) and writes its description to `stream`. Names are made
 * printable. Tensor bytes are not read. Errors: those of pml_file_open and pml_source_open, IO, MEMORY; with `quality`
 * ARGUMENT (a source), MISMATCH. */
pml_status pml_inspect_path(const char *path, const pml_inspect_options *options, FILE *stream,
                            pml_error *error) PML_WARN_UNUSED;

/* The same for what is already open. */
pml_status pml_inspect_file(const pml_file *file, const pml_inspect_options *options, FILE *stream,
                            pml_error *error) PML_WARN_UNUSED;
pml_status pml_inspect_source(const pml_source *source, const pml_inspect_options *options, FILE *stream,
                              pml_error *error) PML_WARN_UNUSED;

#endif
