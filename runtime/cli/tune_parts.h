/* What the parts of `tune` share: objectives, workers, and what is shown. */
#ifndef PML_RUNTIME_CLI_TUNE_PARTS_H
#define PML_RUNTIME_CLI_TUNE_PARTS_H

#include "runtime/cli/command.h"
#include "runtime/train/train_setup.h"
#include "runtime/tune/study.h"

/* ---- objectives ---- */
typedef struct pml_outcome {
    pml_trial_state state; /* complete, pruned or failed */
    double value;
    char cause[256]; /* of a failure */
} pml_outcome;

typedef struct pml_tune_objective {
    /* Computes the objective of a trial whose parameters were suggested, reports on the way and stops where the study
     * says so. Failures of the trial are outcomes; errors end the search: NOT_FOUND, IO, INTERRUPTED, ... */
    pml_status (*evaluate)(const struct pml_tune_objective *objective, pml_study *study, const pml_trial *trial,
                           const double *values, pml_outcome *outcome, pml_error *error);
    const pml_space *space;
    const void *state;
} pml_tune_objective;

/* A program's command line with places for parameters. */
typedef struct pml_command_template {
    char **pieces; /* as the program gets them; "{name}" stands for a value, "{{" and "}}" for braces */
    size_t n_pieces;
} pml_command_template;

/* Splits as a shell would: at blanks, except within quotes and behind backslashes. Nothing is expanded. Every place
 * must name a parameter of the space, or "trial". Errors: ARGUMENT, MEMORY. */
pml_status pml_command_template_parse(const char *text, const pml_space *space, pml_command_template *template,
                                      pml_error *error) PML_WARN_UNUSED;
/* The program's arguments, ended by NULL. A piece with a parameter that this trial does not have is left out. Errors:
 * MEMORY. */
pml_status pml_command_template_fill(const pml_command_template *template, const pml_space *space, const double *values,
                                     uint64_t trial, char ***arguments, pml_error *error) PML_WARN_UNUSED;
void pml_command_arguments_destroy(char **arguments); /* NULL is allowed */
void pml_command_template_deinit(pml_command_template *template);

/* An objective that runs such a program. The template is borrowed. */
pml_tune_objective pml_command_objective(const pml_command_template *template, const pml_space *space);

/* A training, of which the space's parameters are settings: epochs, steps, batch_size, patience, seed, clip_norm;
 * optimizer, schedule, loss; and settings of these, such as optimizer.lr. */
typedef struct pml_tune_training {
    pml_train_setup setup; /* what is not searched for; its folder is not used */
    const char *folder;    /* in which each trial gets one, "trial-N" */
} pml_tune_training;

/* Errors: CONFIG (a parameter that is no setting). */
pml_status pml_tune_training_check(const pml_tune_training *training, const pml_space *space,
                                   pml_error *error) PML_WARN_UNUSED;
pml_status pml_tune_training_folder_make(const pml_tune_training *training, pml_error *error) PML_WARN_UNUSED;
/* Its value is the best validation loss, each of which it reports (by the number of the evaluation), or the training
 * loss where there is no validation. The training is borrowed. */
pml_tune_objective pml_tune_training_objective(const pml_tune_training *training, const pml_space *space);

/* ---- the search ---- */
typedef struct pml_search {
    const pml_common_options *common;
    pml_study_options study;
    const pml_tune_objective *objective;
    bool has_limit;
    uint64_t n_trials; /* that are begun */
    bool has_deadline;
    int64_t deadline_ms; /* of the clock that only goes forward: no trial begins behind it */
    uint64_t n_workers;
} pml_search;

/* Runs it; results are in the study, which this process has open for looking. Errors: those of workers. */
pml_status pml_search_run(const pml_search *search, pml_study *study, pml_error *error) PML_WARN_UNUSED;

/* ---- what is shown ---- */
/* Notes about trials that ended since the last call. */
typedef struct pml_search_watch {
    pml_progress *progress;
    bool *is_told; /* by number; owned */
    size_t capacity;
    uint64_t n_told;
} pml_search_watch;
void pml_search_watch_update(pml_search_watch *watch, const pml_study *study);
void pml_search_watch_deinit(pml_search_watch *watch);

pml_status pml_tune_print_summary(const pml_study *study, const char *storage, bool json, pml_error *error);
pml_status pml_tune_print_trials(const pml_study *study, bool json, pml_error *error);
pml_status pml_tune_print_tuners(bool json, pml_error *error);

#endif
