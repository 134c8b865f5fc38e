/* Cross entropy of probabilities against probabilities. Logarithms count as at least -100, as PyTorch has it, so that a
 * certain prediction that is wrong has a finite loss; its derivative's denominator is at least 1e-12. */
#include <math.h>

#include "runtime/train/losses/term.h"

#define LEAST_LOG (-100.0)
#define LEAST_DENOMINATOR 1e-12

static double bounded_log(double x) {
    const double value = log(x);
    return value < LEAST_LOG ? LEAST_LOG : value;
}

static inline double term(const pml_loss_part *part, size_t i, const double *p, double target, double *slopes) {
    (void)part, (void)i;
    slopes[0] = (p[0] - target) / fmax((1 - p[0]) * p[0], LEAST_DENOMINATOR);
    return -target * bounded_log(p[0]) - (1 - target) * bounded_log(1 - p[0]);
}

static void compute(pml_loss_part *part) {
    pml_loss_terms(part, 1, term);
}

/* A prediction outside of [0, 1] is no probability. */
static pml_status check(const pml_settings *settings, const pml_loss_operands *o, pml_error *error) {
    (void)settings;
    if (o->width != 1) {
        return PML_FAIL(error, PML_E_ARGUMENT, "loss bce: a target has one prediction, not %zu", o->width);
    }
    for (size_t i = 0; i < o->n_terms; i++) {
        if (o->predictions[0][i] < 0 || o->predictions[0][i] > 1) {
            return PML_FAIL(error, PML_E_ARGUMENT, "loss bce: %g is no probability (bce_logits takes any number)",
                            (double)o->predictions[0][i]);
        }
    }
    return PML_OK;
}

const pml_loss pml_loss_bce = {
    .plugin = {.name = "bce", .help = "binary cross entropy of probabilities"},
    .n_predictions = 1,
    .check = check,
    .compute = compute,
};
