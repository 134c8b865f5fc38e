/* Trained models back into files: a model that runs and exports at once, and checkpoints that a run goes on from. */
#ifndef PML_RUNTIME_TRAIN_SAVE_H
#define PML_RUNTIME_TRAIN_SAVE_H

#include "runtime/train/trainer.h"

/* Writes the model with its present weights as a .pml of kind model, whole or not at all: learned weights in F32 and in
 * the layout that the file which it came from has for them, the others as they are stored; metadata and blobs of that
 * file but for what no longer holds (the recorded self-test, quantization errors). `extra` (NULL: none): entries that
 * replace those of the file, such as another scaler. An older file at `path` is replaced. Errors: IO, MEMORY, NUMERIC
 * (a weight is not finite, naming it). */
pml_status pml_trained_model_write(const pml_model *model, const pml_metadata *extra, const char *path,
                                   pml_error *error) PML_WARN_UNUSED;

/* Writes what has been learned beside a model: its adapters and the layers that were trained whole, as a .pml of kind
 * adapter with the model's digest. For models with adapters. Errors: as above. */
pml_status pml_trained_adapter_write(const pml_model *model, const pml_metadata *extra, const char *path,
                                     pml_error *error) PML_WARN_UNUSED;

/* Where a run stands, beside weights and moments. All zero = at its start. */
typedef struct pml_run_point {
    uint64_t n_steps;                      /* of weights */
    pml_loader_position position;          /* of the next batch */
    bool has_best;                         /* the next three count */
    double best_loss;                      /* of evaluations */
    uint64_t best_step, n_bad_evaluations; /* since then */
    uint64_t evaluated_step;               /* of the last evaluation, better or not */
    double first_loss;                     /* of step 1: what an exploding one is measured by */
    double logged_loss;                    /* the sum over n_logged steps since the last record */
    uint64_t n_logged;
} pml_run_point;

/* A file of kind checkpoint with the digest of the model that the run began with: learned weights and running
 * statistics under their names, moments under "<slot>/<name>". `recipe` is what must be equal for a run to go on to the
 * same bits. Replaces an older file. Errors: IO, MEMORY. */
pml_status pml_checkpoint_write(const pml_trainer *trainer, const pml_run_point *point, const char *recipe,
                                const char *path, pml_error *error) PML_WARN_UNUSED;
/* Puts a trainer of the same model and options where the checkpoint was written. Errors: those of pml_file_open and
 * pml_file_verify; MISMATCH (of another model, or of a run with another recipe); FORMAT (a tensor is missing or has
 * another size). On error the trainer's weights may be those of either. */
pml_status pml_checkpoint_read(pml_trainer *trainer, const char *path, const char *recipe, pml_run_point *point,
                               pml_error *error) PML_WARN_UNUSED;

#endif
