/* Losses: one number of predictions and a target, and its derivatives by the predictions.
 *
 * A loss is a sum over terms: n_terms targets, each with the predictions that belong to it. The value is accumulated in
 * double; it and the derivatives are the same for any number of threads. specs/training.md has the formulas. */
#ifndef PML_RUNTIME_TRAIN_LOSS_H
#define PML_RUNTIME_TRAIN_LOSS_H

#include "runtime/base/plugin.h"
#include "runtime/ops/context.h"

#define PML_LOSS_MAX_PREDICTIONS 3u

typedef enum pml_reduction {
    PML_REDUCTION_MEAN, /* sum of weight * term / sum of weights; 0 where all weights are 0 */
    PML_REDUCTION_SUM,  /* sum of weight * term; `none` is this with `terms` */
    PML_REDUCTION_COUNT
} pml_reduction;

/* FP32, row-major, contiguous. What is not wanted or not there is NULL or 0. */
typedef struct pml_loss_operands {
    size_t n_terms; /* targets */
    /* Each [n_terms][width]: width is 1, the number of classes (cross_entropy) or of levels (quantile). The
     * distributions have one per parameter: normal_nll loc, scale; student_t_nll df, loc, scale. */
    const float *predictions[PML_LOSS_MAX_PREDICTIONS];
    size_t width;
    const float *target;    /* [n_terms] */
    const int64_t *classes; /* [n_terms], cross_entropy's target */
    const float
        *class_weights;     /* [width] for cross_entropy, [1] or [n_terms' last axis] as pos_weight for bce_logits */
    size_t n_class_weights; /* bce_logits: weight of term i is i % n_class_weights; 0: none */
    const float *weights;   /* of terms, from 0 on: [n_weights], each for n_terms / n_weights terms in a row */
    size_t n_weights;
    size_t n_joint; /* so many terms count as one in a mean (HF's distribution heads: the channels); 0: 1 */
    pml_reduction reduction;
    double scale; /* of value and derivatives: 1 / steps of accumulation; 0: 1 */

    float *gradients[PML_LOSS_MAX_PREDICTIONS]; /* out, as the predictions; may be the prediction itself; NULL */
    float *terms;                               /* out: [n_terms] weight * term, neither reduced nor scaled; NULL */
} pml_loss_operands;

/* A run of terms as plug-ins see them. */
typedef struct pml_loss_part {
    const pml_settings *settings;
    const pml_loss_operands *operands;
    const pml_kernels *kernels;
    size_t begin, end;
    double slope; /* what the derivative of weight * term is multiplied with */
    double sum;   /* out: of weight * term */
} pml_loss_part;

typedef struct pml_loss {
    pml_plugin plugin;
    size_t n_predictions;
    bool has_classes; /* the target is pml_loss_operands.classes */
    /* What else must hold; NULL: the width is 1. Errors: ARGUMENT. */
    pml_status (*check)(const pml_settings *settings, const pml_loss_operands *operands, pml_error *error);
    /* The sum of weights that a mean divides by; NULL: that of the terms' weights. */
    double (*total_weight)(const pml_settings *settings, const pml_loss_operands *operands);
    void (*compute)(pml_loss_part *part);
} pml_loss;

extern const pml_loss *const pml_losses[];         /* in the registry's order, ends with NULL */
extern const pml_plugin *const pml_loss_plugins[]; /* their descriptions */

/* Reads "huber:delta=0.5". Errors: NOT_FOUND, ARGUMENT. */
pml_status pml_loss_choose(const char *spec, const pml_loss **loss, pml_settings *settings,
                           pml_error *error) PML_WARN_UNUSED;

/* The loss, and its derivatives where they are wanted. NaN and infinity in the operands come out as such. Nothing is
 * allocated. Errors: ARGUMENT (an operand is missing, sizes do not fit, a class is out of range). */
pml_status pml_loss_compute(const pml_loss *loss, const pml_settings *settings, const pml_loss_operands *operands,
                            pml_context *context, double *value, pml_error *error) PML_WARN_UNUSED;

/* What a mean divides by. Errors: as pml_loss_compute. */
pml_status pml_loss_total_weight(const pml_loss *loss, const pml_settings *settings, const pml_loss_operands *operands,
                                 double *total, pml_error *error) PML_WARN_UNUSED;

/* The weight of a term. */
static inline double pml_loss_weight(const pml_loss_operands *operands, size_t i_term) {
    return operands->weights == NULL ? 1.0
                                     : (double)operands->weights[i_term / (operands->n_terms / operands->n_weights)];
}

#endif
