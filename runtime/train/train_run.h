/* A whole run: epochs of steps, validation, early stopping, checkpoints, logs; stopped anywhere and taken up again to
 * the same bits. In its folder lie
 *
 *     checkpoint-<step>.pml    to go on from (save.h); the newest few
 *     best.pml                 the model of the best evaluation, if there is something to validate on
 *     model.pml                the result: the best model, or the last
 *     adapter.pml              instead of it where adapters were trained: then best.pml is of kind adapter, too
 *     trainer_state.json and the other logs (logs/train_log.h) */
#ifndef PML_RUNTIME_TRAIN_TRAIN_RUN_H
#define PML_RUNTIME_TRAIN_TRAIN_RUN_H

#include "runtime/train/logs/train_log.h"
#include "runtime/train/save.h"
#include "runtime/train/schedule.h"

#define PML_RUN_MODEL "model.pml"
#define PML_RUN_BEST "best.pml"
#define PML_RUN_ADAPTER "adapter.pml"

typedef struct pml_run_status { /* after a step or an evaluation */
    uint64_t i_step, n_steps;   /* done; of the whole run */
    double epoch;
    uint64_t n_samples; /* seen since the run began or was resumed */
    pml_step_result step;
    double eval_loss; /* of the last evaluation; NAN: none yet */
    bool is_evaluation, is_best;
} pml_run_status;
/* Any other status than PML_OK ends the run with it; INTERRUPTED behind a checkpoint. */
typedef pml_status pml_run_watch_fn(void *user, const pml_run_status *status, pml_error *error);

typedef struct pml_run_options {
    const char *folder;                         /* exists */
    pml_loader *train, *val;                    /* borrowed; val NULL: nothing is evaluated */
    const char *schedule;                       /* spec; NULL: "constant" */
    const char *recipe;                         /* what else must be equal for a checkpoint to fit, as text; NULL: "" */
    uint64_t n_epochs, n_steps;                 /* it ends with whichever comes first; 0: no bound, but not both */
    uint64_t eval_every, save_every, log_every; /* steps; 0: eval and save at every epoch's end, log at every 10th */
    uint64_t patience;                          /* evaluations without a better one before the run ends; 0: never */
    double min_delta;                           /* by which a loss must be lower to be better */
    uint64_t n_keep;                            /* checkpoints; 0: 2 */
    const char *logs;                           /* forms; NULL: all */
    bool resume;               /* from the newest checkpoint in the folder; where there is none, from the start */
    const pml_metadata *extra; /* of the models that are written */
    pml_run_watch_fn *watch;   /* NULL: nobody looks */
    void *user;
} pml_run_options;

typedef struct pml_run_result {
    uint64_t n_steps, resumed_step, best_step;
    double epoch, train_loss, best_loss; /* NAN: not known */
    bool is_early;                       /* stopped by patience */
    const char *name;                    /* of the result in the folder: PML_RUN_MODEL or PML_RUN_ADAPTER */
} pml_run_result;

/* Errors: ARGUMENT (options), BUSY (another run is in the folder), NUMERIC (a loss, output or gradient is not finite,
 * or the loss exceeds PML_EXPLODED times that of the first step: the message has step, tensor and the last checkpoint),
 * MISMATCH (a checkpoint of another run), INTERRUPTED (a checkpoint has been written), those of the parts. */
#define PML_EXPLODED 1e4
pml_status pml_train_run(pml_trainer *trainer, const pml_run_options *options, pml_run_result *result,
                         pml_error *error) PML_WARN_UNUSED;

#endif
