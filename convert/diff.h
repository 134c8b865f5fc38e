/* Comparing two .pml files: metadata, blobs, tensors; the numbers by value, so that files of different dtype or layout
 * compare too. */
#ifndef PML_CONVERT_DIFF_H
#define PML_CONVERT_DIFF_H

#include "runtime/file/reader.h"

typedef struct pml_diff_options {
    bool by_value; /* false: any difference of content counts, of stored bytes too. true: dtype and layout may differ,
                    * and numbers within |a - b| <= atol + rtol * |b| are equal */
    double atol, rtol; /* finite, >= 0 */
} pml_diff_options;

typedef struct pml_diff_metadata {
    const char *key;
    const pml_meta_entry *a, *b; /* NULL: absent */
    bool is_content;             /* false: provenance, which never makes files differ */
} pml_diff_metadata;

typedef struct pml_diff_blob {
    const char *name;
    const pml_file_blob *a, *b; /* NULL: absent */
} pml_diff_blob;

typedef struct pml_diff_tensor {
    const pml_file_tensor *a, *b; /* NULL: absent */
    bool is_compared;             /* both are there and have one shape: the numbers below are set */
    bool same_bytes;              /* one dtype and layout, and every stored byte is equal */
    uint64_t n_elements;
    uint64_t n_beyond;   /* elements further apart than the tolerance (without one: not equal) */
    double max_abs;      /* greatest |a - b|; infinite when only one side is NaN */
    uint64_t i_max;      /* its element, row-major */
    double a_max, b_max; /* the values there */
    double relative_rms; /* sqrt(sum (a-b)^2 / sum a^2); infinite when only B is not zero */
    double cosine;       /* 1 for two zero tensors */
    bool differs;
} pml_diff_tensor;

typedef struct pml_diff_report { /* pointers into the two files: valid while they are open */
    bool identical_content;      /* equal content digests: tensors were not read */
    bool differs;
    pml_diff_metadata *metadata; /* entries that differ, ascending keys */
    size_t n_metadata;
    pml_diff_blob *blobs; /* blobs that differ; they are not content, so they never make files differ */
    size_t n_blobs;
    pml_diff_tensor *tensors; /* tensors that differ in anything, ascending names */
    size_t n_tensors;
    size_t n_equal; /* tensors that are equal in shape, dtype, layout and every byte */
} pml_diff_report;

/* Compares. Tensor checksums are not trusted nor checked: that is pml_file_verify's business. Memory: a few pages
 * beside the report. Errors: UNSUPPORTED (a dtype without numbers), MEMORY, INTERRUPTED. */
pml_status pml_diff_files(const pml_file *a, const pml_file *b, const pml_diff_options *options,
                          pml_diff_report *report, pml_error *error) PML_WARN_UNUSED;
void pml_diff_report_deinit(pml_diff_report *report);

/* True when both entries are there with the same type, count and values (reals bit for bit). */
bool pml_diff_meta_equal(const pml_meta_entry *a, const pml_meta_entry *b);

#endif
