/* Losses whose terms are a function of one target and its predictions. */
#ifndef PML_RUNTIME_TRAIN_LOSSES_TERM_H
#define PML_RUNTIME_TRAIN_LOSSES_TERM_H

#include <math.h>

#include "runtime/train/loss.h"

/* The value of term i of the predictions p[] and a target, and its derivatives by p[] in slopes[]. */
typedef double pml_loss_term_fn(const pml_loss_part *part, size_t i, const double *p, double target, double *slopes);

/* Of a distance: -1, 0 or 1; NaN stays. Without branches on the sign, which nobody can foretell. */
static inline double pml_loss_sign(double distance) {
    return isnan(distance) ? distance : (double)((distance > 0) - (distance < 0));
}

/* Expanded where it is used, so that `term` is no call. */
static inline __attribute__((always_inline)) void pml_loss_terms(pml_loss_part *part, size_t n_predictions,
                                                                 pml_loss_term_fn *term) {
    const pml_loss_operands *o = part->operands;
    double p[PML_LOSS_MAX_PREDICTIONS], slopes[PML_LOSS_MAX_PREDICTIONS];
    part->sum = 0;
    for (size_t i = part->begin; i < part->end; i++) {
        for (size_t k = 0; k < n_predictions; k++) {
            p[k] = (double)o->predictions[k][i];
        }
        const double weight = pml_loss_weight(o, i);
        double value = term(part, i, p, (double)o->target[i], slopes);
        if (weight == 0) { /* a term that does not count may be infinite */
            value = 0;
            slopes[0] = slopes[1] = slopes[2] = 0;
        }
        part->sum += weight * value;
        if (o->terms != NULL) {
            o->terms[i] = (float)(weight * value);
        }
        for (size_t k = 0; k < n_predictions; k++) {
            if (o->gradients[k] != NULL) {
                o->gradients[k][i] = (float)(part->slope * weight * slopes[k]);
            }
        }
    }
}

#endif
