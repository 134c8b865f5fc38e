/* Negative logarithm of a normal density with predictions loc and scale > 0, as torch.distributions.Normal and the
 * heads of PatchTST have them (not the variance, which torch.nn.GaussianNLLLoss takes). */
#include <math.h>

#include "runtime/train/losses/term.h"

#define HALF_LOG_TWO_PI 0.918938533204672741780

static inline double term(const pml_loss_part *part, size_t i, const double *p, double target, double *slopes) {
    (void)part, (void)i;
    const double z = (target - p[0]) / p[1];
    slopes[0] = -z / p[1];
    slopes[1] = (1 - z * z) / p[1];
    return z * z / 2 + log(p[1]) + HALF_LOG_TWO_PI;
}

static void compute(pml_loss_part *part) {
    pml_loss_terms(part, 2, term);
}

const pml_loss pml_loss_normal_nll = {
    .plugin = {.name = "normal_nll", .help = "-log of a normal density; predictions loc, scale"},
    .n_predictions = 2,
    .compute = compute,
};
