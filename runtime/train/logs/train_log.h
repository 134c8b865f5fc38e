/* The logs of a training run: what is known at a step goes into the run's history and to every form of log
 * (registry.def: trainer_state.json, TensorBoard's event files, CSV). */
#ifndef PML_RUNTIME_TRAIN_LOGS_TRAIN_LOG_H
#define PML_RUNTIME_TRAIN_LOGS_TRAIN_LOG_H

#include "runtime/train/logs/trainer_state.h"

typedef struct pml_log_sink pml_log_sink;
typedef struct pml_train_log pml_train_log;

typedef struct pml_train_log_setup {
    const char *folder;       /* exists; borrowed for the call */
    pml_trainer_state *state; /* the run's, which the trainer keeps up to date; borrowed until close */
    /* The run goes on behind state->global_step, and state->log_history holds what was logged up to there: later steps
     * that a killed run left in the folder are withdrawn. Otherwise the logs begin anew. */
    bool is_resumed;
    const char *forms; /* "csv,tensorboard": names of the registry; NULL: all; "": none; borrowed for the call */
} pml_train_log_setup;

/* Errors: ARGUMENT (an unknown form, the registry's names beside it), IO, MEMORY. */
pml_status pml_train_log_open(const pml_train_log_setup *setup, pml_train_log **log, pml_error *error) PML_WARN_UNUSED;
/* Adds a record to the history and writes it to each form that appends, at once. Steps must not descend. Errors:
 * ARGUMENT, IO, MEMORY. */
pml_status pml_train_log_write(pml_train_log *log, const pml_log_record *record, pml_error *error) PML_WARN_UNUSED;
/* Publishes the forms that are whole files: at evaluations, checkpoints and the end. Errors: IO, MEMORY. */
pml_status pml_train_log_flush(pml_train_log *log, pml_error *error) PML_WARN_UNUSED;
/* Without a flush; NULL is allowed. */
void pml_train_log_close(pml_train_log *log);

/* The registry, NULL at its end. */
const pml_log_sink *const *pml_log_sinks(void);

#endif
