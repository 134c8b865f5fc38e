/* Runs of floats that change places: what slices, swaps of axes and repetitions are, and their way back. Private to
 * runtime/ops. */
#ifndef PML_RUNTIME_OPS_BLOCKS_H
#define PML_RUNTIME_OPS_BLOCKS_H

#include "runtime/ops/gradient.h"

typedef struct pml_blocks {
    size_t n[3];             /* runs, on three axes */
    size_t count;            /* floats of each */
    size_t from[3], to[3];   /* floats between neighbours; from[2] may be 0: a run that is repeated */
    size_t first_x, first_y; /* where in x the first run is, and where in y it goes */
} pml_blocks;

void pml_blocks_copy(pml_context *context, const pml_blocks *blocks, const pml_tensor *x, const pml_tensor *y);
/* The gradient of x, if wanted, gets what y's, `g`, has of it. Errors: MEMORY. */
pml_status pml_blocks_backward(pml_context *context, pml_gradients *gradients, const pml_blocks *blocks,
                               const pml_tensor *x, const float *g, pml_error *error) PML_WARN_UNUSED;

#endif
