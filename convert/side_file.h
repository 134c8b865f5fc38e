/* Small files beside the tensors, read whole: what is parsed is what was hashed. */
#ifndef PML_CONVERT_SIDE_FILE_H
#define PML_CONVERT_SIDE_FILE_H

#include "convert/hash.h"
#include "formats/folder.h"

typedef struct pml_side_file { /* zero = there is none, safe to deinit */
    char *path;
    const char *name; /* the path's base name; NULL: there is no file */
    char *text;       /* zero-terminated behind its size_bytes; NULL once it was let go */
    size_t size_bytes;
    char sha256[PML_SHA256_TEXT_BYTES];
} pml_side_file;

/* Errors: those of pml_input_read; FORMAT also for what is no regular file. */
pml_status pml_side_file_read(const char *path, uint64_t most_bytes, pml_side_file *file,
                              pml_error *error) PML_WARN_UNUSED;
/* The file of that name in `folder`; *file stays zero when nothing of that name is there (a link to nowhere is
 * something: a repository that is not whole). Errors: those of pml_side_file_read; ARGUMENT (the path is too long). */
pml_status pml_side_file_find(const pml_folder *folder, const char *name, uint64_t most_bytes, pml_side_file *file,
                              pml_error *error) PML_WARN_UNUSED;
void pml_side_file_forget_text(pml_side_file *file);
void pml_side_file_deinit(pml_side_file *file);

#endif
