/* Which share of a batch this process has: "i/N", or what a scheduler's environment says. */
#ifndef PML_CONVERT_BATCH_SHARD_H
#define PML_CONVERT_BATCH_SHARD_H

#include "runtime/base/error.h"

typedef struct pml_shard { /* job k belongs to shard k mod count */
    uint64_t index;
    uint64_t count; /* 1: everything, and messages need no prefix */
} pml_shard;

/* `text` is "i/N" or "auto" (NULL: the whole). With "auto" the index is that of the first of SLURM_ARRAY_TASK_ID,
 * JOB_COMPLETION_INDEX, OMPI_COMM_WORLD_RANK, PMI_RANK, SLURM_PROCID, RANK that is set, less `base`; N is `count`, or
 * for count 0 what the same launcher says (never the number of tasks of an array, which changes when failed tasks are
 * submitted again). Errors: ARGUMENT. */
pml_status pml_shard_choose(const char *text, uint64_t count, uint64_t base, pml_shard *shard,
                            pml_error *error) PML_WARN_UNUSED;

#endif
