/* Distance. */
#include <math.h>

#include "runtime/train/losses/term.h"

static inline double term(const pml_loss_part *part, size_t i, const double *p, double target, double *slopes) {
    (void)part, (void)i;
    const double distance = p[0] - target;
    slopes[0] = pml_loss_sign(distance);
    return fabs(distance);
}

static void compute(pml_loss_part *part) {
    pml_loss_terms(part, 1, term);
}

const pml_loss pml_loss_l1 = {
    .plugin = {.name = "l1", .help = "distance (mean absolute error)"},
    .n_predictions = 1,
    .compute = compute,
};
