/* A study: the search for the parameters of the least or greatest value of something. Whoever computes the objective
 * asks for a trial, asks for its parameters, reports how it goes and tells the end; the study remembers it all in a
 * journal that other processes, and Optuna's tools, read and write at the same time (specs/tuning.md).
 *
 *     pml_study_open(&options, &study, error);
 *     pml_study_ask(study, &trial, error);                   // NULL: nothing is left to try
 *     pml_study_suggest_float(study, trial, "lr", 1e-5, 0.1, 0, true, &lr, error);
 *     pml_study_report(study, trial, step, loss, error);
 *     pml_study_should_prune(study, trial, &prune, error);
 *     pml_study_tell(study, trial, PML_TRIAL_COMPLETE, loss, error);
 *
 * A study belongs to one thread, and to the process that opened it: not to a child of fork(). */
#ifndef PML_RUNTIME_TUNE_STUDY_H
#define PML_RUNTIME_TUNE_STUDY_H

#include "runtime/tune/tuner.h"

typedef struct pml_study pml_study;

typedef struct pml_study_options { /* all zero: a study in memory, minimized by tpe, without pruning */
    const char *path;              /* the journal; NULL: in memory */
    const char *name;              /* NULL: the journal's only study, "study" where there is none */
    pml_study_direction direction; /* 0: what the study has; minimize where it is new */
    const char *objective;         /* what the value is called; NULL: what the study says */
    bool must_exist;               /* else NOT_FOUND */
    const pml_trial_sampler *sampler;
    const pml_pruner *pruner;
    const pml_settings *sampler_settings; /* NULL: as if nothing were said */
    const pml_settings *pruner_settings;
    const pml_space *space; /* what may be suggested as a whole; borrowed; NULL: parameters are named as they come */
    uint64_t seed;          /* with the trial's number it decides what is drawn by chance */
    uint64_t n_trials;      /* after so many trials the study is complete; 0: no such number */
    uint64_t max_retries;   /* of a trial whose worker was killed */
    uint64_t stale_ms;      /* a running trial of which nothing was heard for so long has lost its worker, too; 0: only
                             * one whose process is known to have ended */
} pml_study_options;

/* Borrows nothing but the space. Errors: NOT_FOUND, ARGUMENT (another direction, several studies and no name), FORMAT
 * (the journal), UNSUPPORTED (several objectives), IO, MEMORY, INTERRUPTED. */
pml_status pml_study_open(const pml_study_options *options, pml_study **study, pml_error *error) PML_WARN_UNUSED;
void pml_study_close(pml_study *study); /* NULL is allowed */
/* Reads what others wrote since. */
pml_status pml_study_sync(pml_study *study, pml_error *error) PML_WARN_UNUSED;

/* ---- a trial from its beginning to its end. Errors of all: ARGUMENT (it is not running), FORMAT, IO, MEMORY,
 * INTERRUPTED (while waiting for the lock) ---- */
/* A new trial, or one that waits to be run (enqueued, or retried). NULL: the sampler has nothing left. Valid until the
 * study is closed. Trials whose workers were killed are failed first, and set to be tried again. */
pml_status pml_study_ask(pml_study *study, const pml_trial **trial, pml_error *error) PML_WARN_UNUSED;
/* A parameter's value (internal: distribution.h): the one that the trial has or was enqueued with, else a new one.
 * Errors also: CONFIG (another trial knows it as something else; an impossible range). */
pml_status pml_study_suggest(pml_study *study, const pml_trial *trial, const char *name,
                             const pml_distribution *distribution, double *value, pml_error *error) PML_WARN_UNUSED;
/* `step` 0: any number. */
pml_status pml_study_suggest_float(pml_study *study, const pml_trial *trial, const char *name, double low, double high,
                                   double step, bool log, double *value, pml_error *error) PML_WARN_UNUSED;
pml_status pml_study_suggest_int(pml_study *study, const pml_trial *trial, const char *name, int64_t low, int64_t high,
                                 int64_t step, bool log, int64_t *value, pml_error *error) PML_WARN_UNUSED;
/* *i_choice is the index of one of the texts. */
pml_status pml_study_suggest_choice(pml_study *study, const pml_trial *trial, const char *name,
                                    const char *const *choices, size_t n_choices, size_t *i_choice,
                                    pml_error *error) PML_WARN_UNUSED;
/* All parameters of the declared space; values [n_parameters], NaN where one is not there. */
pml_status pml_study_suggest_space(pml_study *study, const pml_trial *trial, double *values,
                                   pml_error *error) PML_WARN_UNUSED;
pml_status pml_study_report(pml_study *study, const pml_trial *trial, int64_t step, double value,
                            pml_error *error) PML_WARN_UNUSED;
/* Whether the pruner gives the trial up, after a report. */
pml_status pml_study_should_prune(pml_study *study, const pml_trial *trial, bool *prune,
                                  pml_error *error) PML_WARN_UNUSED;
/* A text that is kept with a running trial. */
pml_status pml_study_note(pml_study *study, const pml_trial *trial, const char *key, const char *text,
                          pml_error *error) PML_WARN_UNUSED;
/* COMPLETE with its value (NaN makes it FAILED), PRUNED (its value is what it reported last), or FAILED. */
pml_status pml_study_tell(pml_study *study, const pml_trial *trial, pml_trial_state state, double value,
                          pml_error *error) PML_WARN_UNUSED;

/* ---- what is known, as of the last call of any function above ---- */
const char *pml_study_name(const pml_study *study);
pml_study_direction pml_study_direction_of(const pml_study *study);
/* What its value is called: the first of Optuna's metric names, or "value". */
const char *pml_study_objective(const pml_study *study);
/* By number; valid until the next call of a function above. */
const pml_trial *const *pml_study_trials(const pml_study *study, size_t *n_trials);
size_t pml_study_count(const pml_study *study, pml_trial_state state);
/* The first of those with the best value, or NULL. */
const pml_trial *pml_study_best(const pml_study *study);
/* As many trials have ended as were wanted (a retried one counts once), or the sampler has nothing left. */
pml_status pml_study_is_complete(const pml_study *study, bool *complete, pml_error *error) PML_WARN_UNUSED;

#endif
