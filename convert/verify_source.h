/* Proof that a .pml file is what its source says: the source is understood again with the recorded options, every
 * tensor is packed again, and the bytes are compared with the stored ones. */
#ifndef PML_CONVERT_VERIFY_SOURCE_H
#define PML_CONVERT_VERIFY_SOURCE_H

#include "runtime/file/reader.h"

typedef struct pml_verify_options {
    const char *source;      /* directory or file, as given to the conversion */
    const char *config_path; /* where the conversion was told to read the config, if it was; NULL: beside the tensors */
    const char *modes_index_path; /* the same of --modes-index; NULL: it was given none */
    const char *map_path;    /* the rules of the conversion, if it had any: files do not record where they lay */
    /* With them, `source` is an export of the file: it says everything again, whatever options the conversion had, in
     * this dialect of this family, and neither its files nor its transforms need be those of the conversion. NULL: it
     * is not.
     */
    const char *export_dialect, *export_family;
    /* Told as stored bytes are compared; NULL: nobody is told. */
    void (*progress)(void *user, uint64_t done_bytes);
    void *user;
} pml_verify_options;

typedef enum pml_finding_kind {
    PML_FINDING_FILE,
    PML_FINDING_METADATA,
    PML_FINDING_TENSOR,
    PML_FINDING_BLOB
} pml_finding_kind;

typedef struct pml_finding { /* one difference; owned by the report */
    pml_finding_kind kind;
    char *name;         /* of the source file, the key or the tensor */
    char *cause;        /* one sentence */
    bool has_element;   /* the fields below say where and what, of the first difference inside a tensor */
    uint64_t i_element; /* row-major, in the logical tensor */
    double stored, expected;
} pml_finding;

typedef struct pml_verify_report {
    pml_finding *findings; /* tensors first, then metadata, then files */
    size_t count;
    size_t n_tensors; /* compared */
    size_t n_files;   /* hashed */
    uint64_t n_bytes; /* of tensors compared and found equal */
} pml_verify_report;

/* Compares everything and lists every difference: PML_OK with count 0 means that the file is exactly what converting
 * the source gives. Memory: the packer's few MiB beside the report. The file should have passed pml_file_verify.
 * Errors: CONFIG (the file does not record its options, or asks for map_path), those of pml_plan_create (the source
 * cannot be understood), of pml_packer_run, INTERRUPTED, MEMORY. */
pml_status pml_verify_source(const pml_file *file, const pml_verify_options *options, pml_verify_report *report,
                             pml_error *error) PML_WARN_UNUSED;
void pml_verify_report_deinit(pml_verify_report *report);

const char *pml_finding_kind_name(pml_finding_kind kind); /* "file", "metadata", "tensor", "blob" */

#endif
