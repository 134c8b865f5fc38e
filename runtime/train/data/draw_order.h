/* Which samples an epoch takes, and in what order: a function of (seed, epoch) alone, so that a run can be resumed
 * anywhere without a history. */
#ifndef PML_RUNTIME_TRAIN_DATA_DRAW_ORDER_H
#define PML_RUNTIME_TRAIN_DATA_DRAW_ORDER_H

#include "runtime/base/error.h"

typedef struct pml_draw_order { /* zero = safe to deinit; the fields are private */
    size_t n_samples, n_draws;
    bool shuffles;
    uint64_t seed;
    double *sums;    /* [n_samples] running sums of the weights; NULL: every sample once */
    size_t i_last;   /* the last sample whose weight is not 0 */
    uint64_t *order; /* [n_draws]; NULL: as they stand */
    uint64_t epoch;  /* that `order` is of */
    bool is_drawn;
} pml_draw_order;

/* `weights` [n_samples], from 0 on: each draw takes a sample as likely as its weight says, whatever was taken before
 * (with replacement), `n_draws` times an epoch (0: n_samples). NULL: every sample once, shuffled or as they stand, and
 * `n_draws` must be 0. Errors: ARGUMENT (no samples, weights that are negative, not finite or all 0), MEMORY. */
pml_status pml_draw_order_init(pml_draw_order *order, size_t n_samples, bool shuffles, const double *weights,
                               size_t n_draws, uint64_t seed, pml_error *error) PML_WARN_UNUSED;
void pml_draw_order_deinit(pml_draw_order *order);
/* Makes the order of an epoch the one that _at gives. Allocates nothing. */
void pml_draw_order_begin(pml_draw_order *order, uint64_t epoch);
/* The sample of draw i_draw < n_draws. */
size_t pml_draw_order_at(const pml_draw_order *order, size_t i_draw);

#endif
