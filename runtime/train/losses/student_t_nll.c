/* Negative logarithm of a Student t density with predictions df > 0, loc and scale > 0, as torch.distributions.StudentT
 * and the heads of PatchTST have them. */
#include <math.h>

#include "runtime/train/losses/term.h"

#define HALF_LOG_PI 0.572364942924700087072
#define SERIES_FROM 10.0

/* psi(x + 1/2) - psi(x) and lgamma(x + 1/2) - lgamma(x) (NaN where x is not above 0): by steps of one up to where the
 * series of Stirling, in which the leading terms cancel, is exact in double. */
static double gamma_step(double x, double *derivative) {
    double value = x > 0 ? 0 : NAN;
    *derivative = x > 0 ? 0 : NAN;
    for (; x > 0 && x < SERIES_FROM;
         x += 1) { /* gamma(x + 3/2) / gamma(x + 1) = gamma(x + 1/2) / gamma(x) (x + 1/2) / x */
        value -= log1p(.5 / x);
        *derivative += .5 / (x * (x + .5));
    }
    /* lgamma(x + 1/2) - lgamma(x) = log(x) / 2 - 1/8x + 1/192x^3 - 1/640x^5 + 17/14336x^7 - 31/18432x^9 ... */
    const double r = 1 / x, s = r * r;
    value +=
        .5 * log(x) +
        r * (-1 / 8. + s * (1 / 192. + s * (-1 / 640. + s * (17 / 14336. + s * (-31 / 18432. + s * (691 / 180224.))))));
    *derivative +=
        r *
        (.5 + r * (1 / 8. + s * (-3 / 192. + s * (5 / 640. + s * (-7 * 17 / 14336. +
                                                                  s * (9 * 31 / 18432. - s * (11 * 691 / 180224.)))))));
    return value;
}

static inline double term(const pml_loss_part *part, size_t i, const double *p, double target, double *slopes) {
    (void)part, (void)i;
    const double df = p[0], z = (target - p[1]) / p[2], square = z * z;
    double step_slope;
    const double step = gamma_step(df / 2, &step_slope), log_tail = log1p(square / df);
    const double pull = (df + 1) / (df + square); /* 1 for a normal density */
    slopes[0] = .5 * (1 / df + log_tail - step_slope - pull * square / df);
    slopes[1] = -pull * z / p[2];
    slopes[2] = (1 - pull * square) / p[2];
    return log(p[2]) + .5 * log(df) + HALF_LOG_PI - step + (df + 1) / 2 * log_tail;
}

static void compute(pml_loss_part *part) {
    pml_loss_terms(part, 3, term);
}

const pml_loss pml_loss_student_t_nll = {
    .plugin = {.name = "student_t_nll", .help = "-log of a Student t density; predictions df, loc, scale"},
    .n_predictions = 3,
    .compute = compute,
};
