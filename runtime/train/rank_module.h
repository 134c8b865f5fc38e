/* What a module gives that joins the processes of a run: pml-mpi.so, in a library of its own because of what it links.
 *
 * Every rank calls the same functions in the same order and with the same sizes, except that float sums that have begun
 * may lie between any of the others. Functions that cannot report a failure end all ranks when there is one. */
#ifndef PML_RUNTIME_TRAIN_RANK_MODULE_H
#define PML_RUNTIME_TRAIN_RANK_MODULE_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/error.h"

#define PML_RANK_MODULE_VERSION 1u
#define PML_RANK_MODULE_SYMBOL "pml_rank_module_mpi"
#define PML_RANKS_MAX_SUMS 512u /* that have begun and were not waited for */

typedef struct pml_rank_module {
    unsigned version; /* PML_RANK_MODULE_VERSION */
    /* Joins the others, once per process. Errors: UNSUPPORTED (the launcher and this module do not know each other). */
    pml_status (*open)(size_t *i_rank, size_t *n_ranks, pml_error *error);
    /* Begins to add up `values` [count <= INT_MAX] over all ranks, in place: the same bits on every rank. They must
     * stay where they are until sums_wait. */
    void (*sum_begin)(float *values, size_t count);
    void (*sums_go_on)(void); /* gives what has begun a moment of this thread */
    void (*sums_wait)(void);  /* until all that has begun is there */
    void (*sum)(double *values, size_t count);
    void (*gather)(const void *mine, size_t size_bytes, void *all); /* all: [n_ranks][size_bytes] */
    void (*broadcast)(void *bytes, size_t size_bytes);              /* those of rank 0 */
    /* As gather, but gives up after so many seconds (0: never). Whether all were there. Once per process. */
    bool (*meet)(const void *mine, size_t size_bytes, void *all, double seconds);
    void (*close)(void);
    void (*abort)(int exit_code); /* ends all ranks; does not come back */
} pml_rank_module;

#endif
