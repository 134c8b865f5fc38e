/* trainer_state.json: where a training run stands and what it has logged, in the form in which Hugging Face's Trainer
 * keeps it beside each checkpoint (class TrainerState of transformers 5.23, src/transformers/trainer_callback.py), so
 * that whatever reads theirs reads ours, and the other way round. */
#ifndef PML_RUNTIME_TRAIN_LOGS_TRAINER_STATE_H
#define PML_RUNTIME_TRAIN_LOGS_TRAINER_STATE_H

#include "runtime/train/logs/log_history.h"

#define PML_TRAINER_STATE_NAME "trainer_state.json"

typedef struct pml_trainer_state { /* all zero = a run that has not begun; safe to deinit */
    double epoch;                  /* passes over the data, with fraction */
    uint64_t global_step;          /* updates of weights done */
    uint64_t max_steps, num_train_epochs;
    uint64_t logging_steps, eval_steps, save_steps; /* every so many updates */
    uint64_t train_batch_size;                      /* samples; 0: not told (null) */
    uint64_t num_input_tokens_seen;
    double total_flos;
    bool has_best; /* the next three are known; the first two always, the last when a checkpoint was kept */
    double best_metric;
    uint64_t best_global_step;
    char *best_model_checkpoint;                                       /* owned (pml_alloc), NULL: null */
    bool has_early_stopping;                                           /* the next three count */
    uint64_t early_stopping_patience, early_stopping_patience_counter; /* evaluations */
    double early_stopping_threshold;
    bool is_stopping; /* the run ends here, early or not */
    pml_log_history log_history;
} pml_trainer_state;

/* Writes the file, whole or not at all, replacing an older one. Errors: MEMORY, IO, ARGUMENT (not a place for a file).
 */
pml_status pml_trainer_state_write(const pml_trainer_state *state, const char *path, pml_error *error) PML_WARN_UNUSED;
/* Reads one into a zero state, ours or one of Hugging Face's; members that are not ours, and logged values that are no
 * numbers, are passed over. Errors: NOT_FOUND, IO, ARGUMENT (not a regular file), FORMAT (file, line, cause), MEMORY;
 * the state must be deinitialised in any case. */
pml_status pml_trainer_state_read(const char *path, pml_trainer_state *state, pml_error *error) PML_WARN_UNUSED;
/* The same of text in memory. */
pml_status pml_trainer_state_parse(const char *bytes, size_t size_bytes, const char *file_name,
                                   pml_trainer_state *state, pml_error *error) PML_WARN_UNUSED;
/* A new best: at state->global_step. `checkpoint` NULL: none was kept. Errors: MEMORY. */
pml_status pml_trainer_state_set_best(pml_trainer_state *state, double metric, const char *checkpoint,
                                      pml_error *error) PML_WARN_UNUSED;
void pml_trainer_state_deinit(pml_trainer_state *state);

#endif
