/* Scores of many classes per row that are turned into a loss as soon as they are computed, some rows at a time, and
 * forgotten: all of them, and as many derivatives, would be most of what a language model's training holds. */
#ifndef PML_RUNTIME_OPS_SCORE_H
#define PML_RUNTIME_OPS_SCORE_H

#include "runtime/ops/context.h"

/* Who takes them (pml_context.taker). Rows go by their slot: the index of their token among all of the run, sample by
 * sample. The caller's; it must live as long as the step. */
struct pml_score_taker {
    /* Whether the scores of that slot are wanted. */
    bool (*counts)(void *user, size_t slot);
    /* scores [n][width] of first_slot + slots[i]; with `differentiate` the derivatives of the loss take their place.
     * Errors: the loss's. */
    pml_status (*take)(void *user, pml_context *context, size_t first_slot, const float *slots, size_t n, size_t width,
                       float *scores, bool differentiate, pml_error *error);
    void *user;
    bool is_used; /* by the last run: there are no scores besides */
};

/* x [R, in] W + bias [out] (NULL: none), rows of slots [R], for the context's taker: at once, or on a tape in its
 * backward pass, which computes them only then. y [1] is 0; its gradient's value is not read. Inputs: x, w, bias,
 * slots. Attributes: integer[0] = first_slot; data = the taker. Errors: ARGUMENT (shapes), UNSUPPORTED (dtype of w),
 * the taker's. */
pml_status pml_op_score(pml_context *context, const pml_tensor *x, const pml_tensor *w, const pml_tensor *bias,
                        const pml_tensor *slots, size_t first_slot, pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

/* Those of the rows of h [R, D] that the taker wants, the first where it wants none, and their slots. */
pml_status pml_score_pick(pml_context *context, const pml_tensor *h, const pml_tensor *slots, size_t first_slot,
                          pml_tensor *rows, pml_tensor *row_slots, pml_error *error) PML_WARN_UNUSED;

#endif
