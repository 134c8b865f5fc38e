/* Recorded vectors against a model: the goldens' rule, and the form in which a .pml file carries a few of them (blob
 * "selftest").
 *
 * Names: "in.<port>", "out.<port>" (the framework in F32), "out64.<port>" (in F64). An output y passes when
 *   max|y - out64| <= max(4 * max|out - out64|, 1e-6 * max|out64|);
 * for models with BF16 matrices, relative RMS error against out64 <= 2e-2, with I8 ones in groups 0.08 and by column
 * 0.1 (greatest of 70 small random networks: 0.061 and 0.052). Without out64, out takes its place with the tolerance
 * 1e-5 * max|out|. Where in.attention_mask [B][T] exists, only rows with mask 1 count. "out.loss" is skipped. Shapes
 * must agree after axes of size 1 are dropped. <port> may be eval, train or b1: runtime/models/selftest_mode.h. */
#ifndef PML_RUNTIME_MODELS_SELFTEST_H
#define PML_RUNTIME_MODELS_SELFTEST_H

#include "runtime/base/dtype.h"
#include "runtime/base/error.h"
#include "runtime/base/limits.h"

typedef struct pml_vector { /* borrowed */
    const char *name;
    pml_dtype dtype; /* any integer, float or BOOL type */
    unsigned rank;
    uint64_t shape[PML_MAX_RANK];
    const void *bytes; /* any alignment */
} pml_vector;

typedef struct pml_selftest_result {
    char name[64];    /* the port */
    double max_error; /* max|y - truth| */
    double allowed;   /* its bound */
    double relative_rms;
    bool by_rms; /* judged by relative_rms <= allowed */
    bool passed;
} pml_selftest_result;

typedef struct pml_selftest_report {
    pml_selftest_result *results;
    size_t count;
    size_t n_failed;
} pml_selftest_report;

/* Runs the model on the recorded inputs (unknown in.* are ignored) and judges every recorded output. A recorded output
 * that the model does not have counts as failed with max_error NaN (except losses).
 *
 * Of a language model also texts (runtime/models/selftest_text.h): out.generated<k> is in.prompt<k> and the likeliest
 * tokens behind it, one by one; max_error counts the tokens that differ. They are not judged where matrices are BF16 or
 * I8: there the likeliest token may be another. out.heldout_nll are the sums of -log p of the tokens in.heldout_ids
 * [N], read in windows of max_positions. Errors: those of pml_model_run. */
pml_status pml_selftest_run(pml_model *model, const pml_vector *vectors, size_t n_vectors, pml_selftest_report *report,
                            pml_error *error) PML_WARN_UNUSED;
void pml_selftest_report_deinit(pml_selftest_report *report);

/* Blob form, little-endian, every vector padded with zeros to a multiple of 8 bytes:
 *   "PMST", u32 version 1, u64 n_vectors; per vector: u32 name_bytes (terminating zero included), u32 dtype, u32 rank,
 * u32 0, u64 shape[rank], name padded to 8, data (row-major) padded to 8. Nothing follows the last vector. encode keeps
 * in.*, out.* and out64.* of ports that the model has; *bytes is the caller's (pml_free). Errors: ARGUMENT (a dtype or
 * shape that cannot be stored), MEMORY. */
pml_status pml_selftest_encode(const pml_model *model, const pml_vector *vectors, size_t n_vectors, uint8_t **bytes,
                               size_t *size_bytes, pml_error *error) PML_WARN_UNUSED;
/* Views into `bytes`; *vectors is the caller's (pml_free). Errors: FORMAT, UNSUPPORTED (another version), MEMORY. */
pml_status pml_selftest_decode(const uint8_t *bytes, size_t size_bytes, const char *file_name, pml_vector **vectors,
                               size_t *n_vectors, pml_error *error) PML_WARN_UNUSED;

#endif
