/* A training step: gradients of one batch or several, and a change of the model's weights. */
#ifndef PML_RUNTIME_TRAIN_TRAINER_H
#define PML_RUNTIME_TRAIN_TRAINER_H

#include "runtime/train/objective.h"
#include "runtime/train/optimizer.h"
#include "runtime/train/reducer.h"

typedef struct pml_trainer_options {     /* all zero: what the task and AdamW have where nothing is said */
    const char *task, *loss, *optimizer; /* specs; NULL: by the model, by the task, "adamw" */
    const char *const *groups;           /* "PATTERN:lr_scale=0.1,weight_decay=0" */
    size_t n_groups;
    double clip_norm, clip_value; /* of gradients; 0: as they are */
    size_t n_accumulate;          /* batches of a step; 0: 1 */
    double ema_decay;             /* of a running average of the weights (average.h), below 1; 0: none */
    const pml_ranks *ranks;       /* that share every batch; NULL: this process alone */
    bool sync_batch_norms;        /* batch norms have the statistics of all ranks */
} pml_trainer_options;

typedef struct pml_trainer {
    pml_model *model; /* borrowed, trainable */
    pml_objective objective;
    const pml_optimizer *optimizer;
    pml_settings settings;
    pml_parameter_set set;
    pml_parameter_view *views;
    float *slots; /* of all parameters, one kind after the other */
    size_t n_slots, slots_count;
    double clip_norm, clip_value, ema_decay;
    float **averages;             /* [n_views] of learned weights; NULL: none are kept */
    float *averages_values;       /* theirs, one behind the other */
    size_t n_accumulate, n_added; /* batches of this step so far */
    uint64_t n_steps;             /* that weights have been changed in */
    double loss;                  /* of this step's batches so far; of several ranks: this one's part */
    const pml_ranks *ranks;       /* borrowed; NULL: alone */
    pml_reducer reducer;          /* of several ranks */
    bool is_synced;               /* batch norms are those of all ranks */
    void *blank;                  /* zeros: what a rank without samples runs on where batch norms are synced */
    size_t blank_bytes;
} pml_trainer;

/* Errors: UNSUPPORTED (nothing to be trained: the model is not trainable, or everything is frozen), those of
 * pml_objective_init, pml_optimizer_choose, pml_parameter_set_group. */
pml_status pml_trainer_create(pml_model *model, const pml_trainer_options *options, pml_trainer **trainer,
                              pml_error *error) PML_WARN_UNUSED;
void pml_trainer_destroy(pml_trainer *trainer); /* NULL is allowed */

/* Adds the gradients of a batch; as many as n_accumulate make a step. Several ranks each add their share, also where it
 * has no samples. Errors: NUMERIC (the loss, or an output, is not finite: the message has the step), those of the
 * model and the loss. */
pml_status pml_trainer_add(pml_trainer *trainer, const pml_batch *batch, pml_error *error) PML_WARN_UNUSED;
static inline bool pml_trainer_is_full(const pml_trainer *trainer) {
    return trainer->n_added == trainer->n_accumulate;
}

typedef struct pml_step_result {
    double loss, gradient_norm, learning_rate;
    bool is_stopped; /* of several ranks one was asked to stop, and all know */
} pml_step_result;
/* Changes the weights, on all ranks to the same bits, by what has been added, with the optimizer's learning rate times
 * `rate_factor`, and begins the next step. Errors: NUMERIC (a gradient is not finite, naming step and parameter: the
 * weights are as they were). */
pml_status pml_trainer_step(pml_trainer *trainer, double rate_factor, pml_step_result *result,
                            pml_error *error) PML_WARN_UNUSED;

/* Exchanges learned weights and their running averages, to evaluate and save these, and back. Without averages nothing
 * happens. */
void pml_trainer_swap_average(pml_trainer *trainer);

/* The mean loss over a loader's first epoch, in evaluation mode, each sample counting alike. Several ranks have
 * loaders of their shares, and get the mean of all. Errors: NUMERIC, those of the loader and the model; INTERRUPTED, on
 * all ranks. */
pml_status pml_trainer_evaluate(pml_trainer *trainer, pml_loader *loader, double *loss,
                                pml_error *error) PML_WARN_UNUSED;

#endif
