/* A .pml file on its way back: the checkpoint, configuration and tokenizer that its code base, or another one that has
 * the same model, reads. Everything about names and arguments is data of the mapper (mappers/dialect.h). */
#ifndef PML_CONVERT_EXPORT_EXPORT_H
#define PML_CONVERT_EXPORT_EXPORT_H

#include "runtime/file/reader.h"

#define PML_EXPORT_FILES 16u

typedef struct pml_export_options {
    const char *directory; /* becomes the folder, whole or not at all */
    const char *dialect;   /* NULL: that of the file's source */
    bool replace;          /* an earlier export there may be replaced */
    /* Told as bytes are written and then read back; NULL: nobody is told. In total twice `total_bytes` of
     * pml_export_size. */
    void (*progress)(void *user, uint64_t done_bytes);
    void *user;
} pml_export_options;

typedef struct pml_export_report {
    const char *dialect, *family; /* of tables, valid forever */
    const char *files[PML_EXPORT_FILES];
    size_t n_files;
    size_t n_tensors;
    uint64_t size_bytes; /* of the tensors */
} pml_export_report;

/* Bytes of the file's tensors, for progress. */
uint64_t pml_export_size(const pml_file *file);

/* Writes the folder and reads it back as a conversion would: it is published only if that gives the same model (values,
 * configuration, tokenizer). FP32 weights come out bit for bit, BF16 weights as BF16. Errors: ARGUMENT (the folder, no
 * such dialect), UNSUPPORTED (a model that the dialect cannot say or does not have, weights that were quantized),
 * FORMAT (a file that is no whole model), IO, INTERRUPTED, MEMORY. */
pml_status pml_export_run(const pml_file *file, const pml_export_options *options, pml_export_report *report,
                          pml_error *error) PML_WARN_UNUSED;

#endif
