/* The ranks of a training under a launcher such as mpirun: how they begin, and how they end with one message. */
#ifndef PML_RUNTIME_CLI_TRAIN_RANKS_H
#define PML_RUNTIME_CLI_TRAIN_RANKS_H

#include "runtime/train/ranks.h"

/* Errors: those of pml_ranks_open, told by the first rank where the launcher says which one this is. */
pml_status pml_train_ranks_open(pml_ranks *ranks, pml_error *error) PML_WARN_UNUSED;
/* Ends the ranks, of which this one ended with `status` and *error. Gives what the process ends with: the same on all
 * ranks, of which one alone goes on to write to stderr. Where the others do not come, the end of this process ends
 * them. */
pml_status pml_train_ranks_close(pml_ranks *ranks, pml_status status, pml_error *error) PML_WARN_UNUSED;

#endif
