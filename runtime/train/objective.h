/* What a model is trained for: which of its outputs are compared with what of a batch, and by which loss. */
#ifndef PML_RUNTIME_TRAIN_OBJECTIVE_H
#define PML_RUNTIME_TRAIN_OBJECTIVE_H

#include "runtime/models/training.h"
#include "runtime/ops/score.h"
#include "runtime/train/data/loader.h"
#include "runtime/train/loss.h"
#include "runtime/train/ranks.h"

/* A row of the table of tasks; each configured model has the first that its outputs fit. */
typedef struct pml_task {
    const char *name;                              /* "forecast" */
    const char *loss;                              /* where nothing is said */
    const char *outputs[PML_LOSS_MAX_PREDICTIONS]; /* the loss's predictions; all must exist */
    unsigned rank;                                 /* of the first; 0: any */
    const char *target;  /* a field of the batch, or, with `of_model`, an output of the model */
    const char *weights; /* an output of the model that weighs groups of terms; NULL: all alike */
    bool of_model, is_class;
    const char *location, *scale; /* outputs by which the target is normalized first; NULL: as it is */
    const char *summary;
} pml_task;
extern const pml_task pml_tasks[]; /* ends with a NULL name */

typedef struct pml_objective { /* all zero = safe to deinit */
    const pml_task *task;
    const pml_loss *loss;
    pml_settings settings;
    const float *class_weights; /* borrowed; NULL: none */
    size_t n_class_weights;
    float *gradients;       /* kept from step to step, for all predictions */
    size_t gradients_count; /* of one prediction, in the last loss */
    float *target;
    size_t gradients_capacity, target_capacity;
    bool keeps_scores; /* set by who wants a loss before its backward pass: nothing is taken there */
    /* Where the model hands its scores on as it computes them (taken_loss.c): the target, and the loss so far. */
    pml_score_taker taker;
    pml_loss_operands taken;
    int64_t *taken_classes; /* of the rows at hand */
    size_t taken_capacity;
    double taken_factor, taken_loss; /* what a term counts in the mean; their weighted sum */
} pml_objective;

/* `task` NULL: what the model's outputs say; `loss` NULL: the task's. Errors: UNSUPPORTED (no task fits the model, or
 * not this one), NOT_FOUND and ARGUMENT (the loss's spec, or a loss for other predictions). */
pml_status pml_objective_init(pml_objective *objective, const pml_model *model, const char *task, const char *loss,
                              pml_error *error) PML_WARN_UNUSED;
void pml_objective_deinit(pml_objective *objective);

/* Runs the model on the fields of the batch that it takes, which must stay until the loss and its gradients have been
 * taken. A language model's scores are not kept: the objective takes them some rows at a time, in training mode in the
 * backward pass. Errors: those of pml_model_run, and the loss's. */
pml_status pml_objective_run(pml_objective *objective, pml_model *model, const pml_batch *batch,
                             pml_error *error) PML_WARN_UNUSED;

/* What this rank's samples are of the mean over the batch of all, after a run; `is_silent`: there was none. All ranks
 * call it. Errors: those of pml_objective_loss, MEMORY. */
pml_status pml_objective_share(pml_objective *objective, pml_model *model, const pml_batch *batch,
                               const pml_ranks *ranks, bool is_silent, double *share, pml_error *error) PML_WARN_UNUSED;

/* The loss of the run's outputs, times `scale`; 0: it counts nothing. With `with_gradients`, its gradients too, for
 * pml_objective_backward, and where scores are taken in the backward pass the loss is 0: pml_objective_backward adds
 * to it. Errors: NOT_FOUND (the batch has no such target), ARGUMENT (sizes). */
pml_status pml_objective_loss(pml_objective *objective, pml_model *model, const pml_batch *batch, double scale,
                              bool with_gradients, double *loss, pml_error *error) PML_WARN_UNUSED;
/* Adds to the parameters' gradients what the last loss makes of them, and to *loss what is known only now. Errors:
 * those of pml_model_backward. */
pml_status pml_objective_backward(pml_objective *objective, pml_model *model, pml_parameter_done_fn *done, void *user,
                                  double *loss, pml_error *error) PML_WARN_UNUSED;

/* taken_loss.c, for objective.c: readies the taker for a batch; NULL: this task or batch has no use for it. */
pml_status pml_objective_taker(pml_objective *objective, const pml_model *model, const pml_batch *batch,
                               pml_score_taker **taker, pml_error *error) PML_WARN_UNUSED;

#endif
