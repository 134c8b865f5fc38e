/* What the end of a step means for its job. */
#ifndef PML_CONVERT_BATCH_CHILD_VERDICT_H
#define PML_CONVERT_BATCH_CHILD_VERDICT_H

#include "convert/batch/batch_job.h"
#include "convert/batch/child_process.h"

typedef struct pml_verdict {
    pml_job_cause cause;
    int exit_code;
    const char *message; /* in the arena */
} pml_verdict;

/* The cause behind an exit code of specs/command-line.md. */
pml_job_cause pml_verdict_cause(int exit_code, bool is_local);
/* Whether it failed for want of memory, so that with more of it it may succeed. */
bool pml_verdict_is_memory(const pml_child *child);
/* Hands on what the child warned of, in the name of the job. */
void pml_verdict_warn(const pml_child *child, const char *id);
/* The message is what the child said last as an error, or how it was ended. Errors: MEMORY. */
pml_status pml_verdict_read(const pml_child *child, uint64_t step_seconds, bool is_local, pml_arena *texts,
                            pml_verdict *verdict, pml_error *error) PML_WARN_UNUSED;

#endif
