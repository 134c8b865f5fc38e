/* The conversion as one library call: a plan becomes a .pml file, published whole or not at all. */
#ifndef PML_CONVERT_CONVERT_H
#define PML_CONVERT_CONVERT_H

#include "convert/plan.h"

/* Told as the source is read; bytes of plan->source_bytes. */
typedef void pml_convert_progress_fn(void *user, uint64_t done_bytes);

typedef struct pml_convert_report {
    uint64_t size_bytes;       /* of the file */
    uint64_t n_nonfinite;      /* source values that are NaN or infinite, kept because that was allowed */
    uint64_t n_overflowed;     /* finite source values that became infinite, likewise */
    double quantization_error; /* the greatest of all tensors, relative RMS */
    size_t n_selftest_outputs; /* recorded outputs that were embedded and reproduced */
} pml_convert_report;

/* Streams every tensor of the plan into plan->output. `progress` may be NULL.
 * Errors: NUMERIC (a value that is not finite, or becomes so), IO (no space left too), ARGUMENT (the output appeared
 * meanwhile), MISMATCH (written bytes read back differently; a recorded self-test output is not reproduced),
 * INTERRUPTED, MEMORY, UNSUPPORTED. After an error the output is as it was before and nothing else is left. */
pml_status pml_convert_run(pml_plan *plan, pml_convert_progress_fn *progress, void *user, pml_convert_report *report,
                           pml_error *error) PML_WARN_UNUSED;

/* The same model in FP32, for comparing with: written beside plan->output, without a name as soon as it is mapped.
 * Errors: those of pml_plan_create and pml_convert_run. */
pml_status pml_convert_reference(const pml_plan *plan, pml_file **file, pml_error *error) PML_WARN_UNUSED;

#endif
