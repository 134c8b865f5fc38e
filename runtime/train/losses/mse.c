/* Squared distance. */
#include "runtime/train/losses/term.h"

static inline double term(const pml_loss_part *part, size_t i, const double *p, double target, double *slopes) {
    (void)part, (void)i;
    const double distance = p[0] - target;
    slopes[0] = 2 * distance;
    return distance * distance;
}

static void compute(pml_loss_part *part) {
    pml_loss_terms(part, 1, term);
}

const pml_loss pml_loss_mse = {
    .plugin = {.name = "mse", .help = "squared distance"},
    .n_predictions = 1,
    .compute = compute,
};
