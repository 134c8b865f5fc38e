/* Models whose weights change: private copies of the file's weights, their gradients, and the backward pass.
 *
 * A step is: pml_model_run in training mode, pml_model_backward with the loss's gradient of an output, a change of the
 * parameters' values, pml_model_gradients_clear. The file is never written to. */
#ifndef PML_RUNTIME_MODELS_TRAINING_H
#define PML_RUNTIME_MODELS_TRAINING_H

#include "runtime/models/adapter.h"
#include "runtime/ops/gradient.h"

/* A weight with a copy of its own: F32, row-major, its canonical shape. Every weight that is learned has one, and so
 * has what training changes without a gradient: running statistics. Frozen weights are read where they are stored. */
typedef struct pml_parameter {
    const char *name; /* canonical */
    pml_role role;
    unsigned rank;
    size_t shape[PML_MAX_RANK];
    float *values;   /* [count], 64-byte aligned; the caller may change them between steps */
    float *gradient; /* [count], added to by every backward pass; NULL: not learned */
    size_t count;
} pml_parameter;

typedef struct pml_trainable_options {
    const char *backend;              /* NULL: as pml_model_create */
    pml_weight_filter_fn *is_learned; /* NULL: all */
    void *user;
    uint64_t seed; /* of dropout, and of what adapters begin as */
    /* NULL: none. With it the weights that are learned are adapters of those that it targets, and the layers that it
     * has trained whole; is_learned holds for both. */
    const pml_adapter_recipe *adapter;
} pml_trainable_options;

/* As pml_model_create, in evaluation mode. `file` must stay open until pml_model_destroy. Errors: those of
 * pml_model_create. */
pml_status pml_model_create_trainable(pml_file *file, const pml_trainable_options *options, pml_model **model,
                                      pml_error *error) PML_WARN_UNUSED;

/* Parameters in the order of the file's tensors, then those of adapters, named "<weight>.lora_a" and ".lora_b": the
 * first drawn evenly from within 1 / sqrt(in), the second 0. Those that are learned lie
 * side by side, values and gradients alike.
 * 0 and NULL for a model that only runs. */
size_t pml_model_n_parameters(const pml_model *model);
pml_parameter *pml_model_parameter_at(const pml_model *model, size_t i_parameter);
pml_parameter *pml_model_parameter_find(const pml_model *model, const char *name); /* NULL: no such one */

/* Takes the parameters' values from another file of the same model, whatever its dtypes and layouts. Errors: MISMATCH
 * (a tensor is missing or has another shape, naming it). */
pml_status pml_model_parameters_read(pml_model *model, const pml_file *file, pml_error *error) PML_WARN_UNUSED;

/* The same of those that the file has with the same name and shape: *n_taken; the others keep their values: *n_kept. */
pml_status pml_model_parameters_take(pml_model *model, const pml_file *file, size_t *n_taken, size_t *n_kept,
                                     pml_error *error) PML_WARN_UNUSED;

/* Training mode: runs are recorded, dropout drops, batch norms use and update statistics of the batch, and what a
 * network chooses by looking at samples is chosen for the whole batch. Evaluation mode: as pml_model_create's, but that
 * a network for pretraining goes on to hide what it draws, the same for every batch, unless it gets a mask. */
void pml_model_training_set(pml_model *model, bool is_training);
/* The step whose dropouts the next run draws: together with the seed it fixes them. */
void pml_model_training_step_set(pml_model *model, uint64_t step);
/* Products of learned matrices in BF16, summed in F32 (mixed precision): values and gradients stay F32. */
void pml_model_training_bf16_set(pml_model *model, bool bf16);

/* Where a batch lies on several processes: `sum` as pml_training.sum, NULL: batch norms have this process's own
 * statistics. `i_process` sets the dropouts of processes apart. */
typedef struct pml_training_share {
    size_t i_process;
    void (*sum)(void *user, double *values, size_t count);
    void *user;
} pml_training_share;
void pml_model_training_share_set(pml_model *model, const pml_training_share *share);
/* The next run in training mode has no part in the batch that the others have: it takes part in their sums only. */
void pml_model_training_silent_set(pml_model *model, bool is_silent);

/* The gradient of a loss with respect to an output of the last run, which was in training mode. */
typedef struct pml_output_gradient {
    const char *output;
    const float *gradient; /* as many values as the output has */
} pml_output_gradient;
/* Adds to every learned parameter's gradient. `done` (NULL: not wanted) is called for a parameter as soon as nothing
 * more will be added. Once per run. Errors: ARGUMENT (no such output, no recorded run), UNSUPPORTED (an op has no
 * gradient), INTERRUPTED, MEMORY. */
typedef void pml_parameter_done_fn(void *user, pml_parameter *parameter);
pml_status pml_model_backward(pml_model *model, const pml_output_gradient *outputs, size_t n_outputs,
                              pml_parameter_done_fn *done, void *user, pml_error *error) PML_WARN_UNUSED;
void pml_model_gradients_clear(pml_model *model);

#endif
