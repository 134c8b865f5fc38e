/* Gradients of all ranks added up while the backward pass still runs: in buckets, each one as soon as all of its
 * parameters are done. */
#ifndef PML_RUNTIME_TRAIN_REDUCER_H
#define PML_RUNTIME_TRAIN_REDUCER_H

#include "runtime/models/training.h"
#include "runtime/train/parameter_set.h"
#include "runtime/train/ranks.h"

typedef struct pml_bucket {
    float *begin; /* gradients of neighbours, with the space between them */
    size_t count, n_parameters;
    size_t n_left; /* parameters that are not done in this step */
} pml_bucket;

typedef struct pml_reducer { /* all zero = safe to deinit */
    const pml_ranks *ranks;
    pml_bucket *buckets;
    uint64_t *order; /* [n_buckets] in which all ranks begin them */
    uint64_t *seen;  /* [n_buckets] the order in which those of this step got full */
    size_t n_buckets, n_begun, n_seen;
    bool is_ordered; /* by what a step of rank 0 has shown; before: from the last parameter to the first */
} pml_reducer;

/* Of gradients that lie one behind the other in memory, in the views' order. Errors: MEMORY, ARGUMENT (a parameter that
 * is too large). */
pml_status pml_reducer_init(pml_reducer *reducer, const pml_ranks *ranks, const pml_parameter_view *views,
                            size_t n_views, size_t bucket_count, pml_error *error) PML_WARN_UNUSED;
void pml_reducer_deinit(pml_reducer *reducer);
/* A pml_parameter_done_fn; `user` is the reducer. */
void pml_reducer_done(void *user, pml_parameter *parameter);
/* Begins what has not begun, waits for all: the gradients are the sums. Ends a step, whether this rank had a backward
 * pass or not. */
void pml_reducer_finish(pml_reducer *reducer);

#endif
