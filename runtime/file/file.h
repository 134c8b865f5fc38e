/* The open file as the reader and its parts see it, and parsing without a file. Private to this floor and its tests. */
#ifndef PML_RUNTIME_FILE_FILE_H
#define PML_RUNTIME_FILE_FILE_H

#include "runtime/base/input.h"
#include "runtime/file/record.h"

struct pml_file {
    char *path;
    const uint8_t *bytes; /* the whole file */
    size_t size_bytes;
    pml_file_map map; /* holds the bytes; empty where they are the caller's */
    pml_header header;
    pml_metadata *metadata;
    pml_file_tensor *tensors;
    pml_file_blob *blobs;
};

/* Does what pml_file_open does with the bytes of a file that lie in memory, of any alignment. They are borrowed until
 * pml_file_close; `name` is what messages call the file. */
pml_status pml_file_parse(const void *bytes, size_t size_bytes, const char *name, pml_file **file,
                          pml_error *error) PML_WARN_UNUSED;

/* Of an open file's I8 tensor: values without -128, finite scales, right sums. Errors: MISMATCH. */
pml_status pml_file_verify_i8(const pml_file *file, const pml_file_tensor *tensor, pml_error *error) PML_WARN_UNUSED;

#endif
