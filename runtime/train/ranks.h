/* The processes of a run that share the work of each step. Rank 0 is the one that writes. */
#ifndef PML_RUNTIME_TRAIN_RANKS_H
#define PML_RUNTIME_TRAIN_RANKS_H

#include "runtime/train/rank_module.h"

typedef struct pml_ranks { /* all zero = this process alone */
    size_t i_rank, n_ranks;
    const pml_rank_module *module; /* NULL: alone */
    void *library;
} pml_ranks;

/* How many ranks the launcher says that there are, from what it puts into the environment (Open MPI, PMI, PMIx under
 * Slurm); 1: nobody says so. */
size_t pml_ranks_launched(void);
size_t pml_ranks_i_launched(void); /* which of them this is, as far as it says so; 0: not known */
/* Joins the others through the module at `path`, where there are any. Errors: NOT_FOUND (several ranks, and no module),
 * UNSUPPORTED (not a module of this version, or it does not see the others). */
pml_status pml_ranks_open(const char *path, pml_ranks *ranks, pml_error *error) PML_WARN_UNUSED;

/* For each of these NULL is allowed, and this process alone. */
static inline bool pml_ranks_are_several(const pml_ranks *ranks) {
    return ranks != NULL && ranks->module != NULL;
}
static inline bool pml_ranks_is_first(const pml_ranks *ranks) {
    return ranks == NULL || ranks->i_rank == 0;
}
static inline size_t pml_ranks_count(const pml_ranks *ranks) {
    return pml_ranks_are_several(ranks) ? ranks->n_ranks : 1;
}
void pml_ranks_broadcast(const pml_ranks *ranks, void *bytes, size_t size_bytes);
/* The sum of everybody's number, and whether anybody's flag is set: added up in the order of ranks. */
typedef struct pml_ranks_vote {
    double sum, weight;
    uint64_t is_stopped;
} pml_ranks_vote;
/* Errors: MEMORY. */
pml_status pml_ranks_vote_on(const pml_ranks *ranks, pml_ranks_vote *vote, pml_error *error) PML_WARN_UNUSED;
/* Whether all have the same number. Errors: MISMATCH, with `what` and the first rank that differs from rank 0; MEMORY.
 */
pml_status pml_ranks_compare(const pml_ranks *ranks, uint64_t number, const char *what,
                             pml_error *error) PML_WARN_UNUSED;

typedef struct pml_ranks_end {
    bool is_complete;  /* all ranks came; else: this one failed where the others still wait for it */
    bool speaks;       /* this rank is the first that failed, or nobody did and it is rank 0 */
    bool is_common;    /* all ended alike */
    pml_status status; /* of the first that failed */
} pml_ranks_end;
/* Tells the others how this rank ended; one that failed waits for them for some seconds. Then pml_ranks_close, or where
 * it is not complete the module's abort. */
pml_ranks_end pml_ranks_meet(const pml_ranks *ranks, pml_status status);
void pml_ranks_close(pml_ranks *ranks); /* NULL is allowed */

#endif
