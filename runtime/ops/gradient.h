/* Gradients: a tape read backwards. Each op adds to the gradients of its inputs; they lie in buffers that are taken
 * when the first of it arrives and given back when the op that made the tensor has been passed, so that only a few
 * exist at a time.
 *
 * A gradient belongs to bytes, not to a tensor's shape: every view of a result (another shape, some of its rows) finds
 * its part. What a step wants gradients of are its leaves: the parameters. */
#ifndef PML_RUNTIME_OPS_GRADIENT_H
#define PML_RUNTIME_OPS_GRADIENT_H

#include "runtime/ops/context.h"

/* Something outside of the tape that gradients are wanted of: F32 values and as many places for their gradient, which
 * is added to. */
typedef struct pml_leaf {
    const float *values;
    float *gradient;
    size_t count;
} pml_leaf;

/* Where a backward pass begins: the gradient [count of tensor] of a recorded result. */
typedef struct pml_gradient_seed {
    const pml_tensor *tensor;
    const float *gradient;
} pml_gradient_seed;

/* Called as soon as nothing more is added to the gradient of a leaf, in the order in which that happens. */
typedef void pml_leaf_done_fn(void *user, size_t i_leaf);

typedef struct pml_gradients_pass {
    const pml_leaf *leaves; /* that do not overlap */
    size_t n_leaves;
    const pml_gradient_seed *seeds;
    size_t n_seeds;
    pml_leaf_done_fn *done; /* NULL: not wanted */
    void *user;
} pml_gradients_pass;

/* Buffers are kept from pass to pass. Errors: MEMORY. */
pml_status pml_gradients_create(pml_gradients **gradients, pml_error *error) PML_WARN_UNUSED;
void pml_gradients_destroy(pml_gradients *gradients); /* NULL is allowed */

/* One pass over the context's tape, whose step must still be the present one. After the first of its kind it allocates
 * nothing. Errors: UNSUPPORTED (an op without a gradient, naming it), ARGUMENT (a seed that no op made), MEMORY. */
pml_status pml_gradients_run(pml_gradients *gradients, pml_context *context, const pml_gradients_pass *pass,
                             pml_error *error) PML_WARN_UNUSED;
size_t pml_gradients_peak_bytes(const pml_gradients *gradients); /* of all buffers so far */

/* ---- for the backward passes of ops -------------------------------------------------------------------------- */
/* Whether the gradient of an input is wanted. An input of dtype NONE is not. */
bool pml_gradient_wanted(const pml_gradients *gradients, const pml_tensor *tensor);
/* Where to add it: as many floats as the tensor has elements, in its order, holding what has been added so far. NULL:
 * not wanted. Inputs may be one tensor, or overlap: never assume that two results differ. Errors: MEMORY. */
pml_status pml_gradient_of(pml_gradients *gradients, const pml_tensor *tensor, float **gradient,
                           pml_error *error) PML_WARN_UNUSED;
/* The same for who writes every element at once: where *is_new, the floats are not initialised and must be set, not
 * added to, before the gradient of any other input is asked for. Saves a pass over memory. */
pml_status pml_gradient_begin(pml_gradients *gradients, const pml_tensor *tensor, float **gradient, bool *is_new,
                              pml_error *error) PML_WARN_UNUSED;
/* gradient of `tensor` += factor * values, as many as it has; nothing where it is not wanted. Errors: MEMORY. */
pml_status pml_gradient_add(pml_gradients *gradients, const pml_tensor *tensor, const float *values, float factor,
                            pml_error *error) PML_WARN_UNUSED;
/* That of the entry's output. */
const float *pml_gradient_out(const pml_gradients *gradients, const pml_tape_entry *entry);
/* Floats, not initialised, 64-byte aligned, until the backward pass of this entry returns. Errors: MEMORY. */
pml_status pml_gradients_scratch(pml_gradients *gradients, size_t count, float **scratch,
                                 pml_error *error) PML_WARN_UNUSED;
/* Gives all of it back before that: for who runs many jobs that each take their own. */
void pml_gradients_scratch_end(pml_gradients *gradients);

#endif
