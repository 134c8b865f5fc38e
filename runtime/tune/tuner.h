/* Samplers, which say what a trial tries, and pruners, which say when one is given up: one vtable in one file each
 * (registry.def). They see trials and say numbers; journals and studies are not theirs. */
#ifndef PML_RUNTIME_TUNE_TUNER_H
#define PML_RUNTIME_TUNE_TUNER_H

#include "runtime/base/plugin.h"
#include "runtime/base/random.h"
#include "runtime/tune/space.h"
#include "runtime/tune/trial.h"

/* What both see, in order of the trials' numbers and in every state. */
typedef struct pml_study_view {
    const char *study_name;
    pml_study_direction direction;
    const pml_trial *const *trials; /* of the study; with hyperband those of the same bracket */
    size_t n_trials;
    const pml_trial *const *all; /* of the study */
    size_t n_all;
    const pml_trial *trial;       /* the one that it is about; its number is right in any case, see `begin` */
    const pml_space *space;       /* what was declared, or NULL */
    const pml_settings *settings; /* of the one that is asked */
    pml_random *random;           /* samplers only: a stream of this trial's own */
} pml_study_view;

/* Values that were drawn together, for suggestions that will come one by one. */
typedef struct pml_joint {
    pml_trial_parameter *items; /* owned: pml_free */
    size_t count, capacity;
} pml_joint;

typedef struct pml_trial_sampler {
    pml_plugin plugin;
    bool needs_space; /* works on a declared space only */
    /* Optional: an attribute that a new trial gets when it is made, in system attributes under `attribute`; *json is
     * owned by the caller. The view's trial then has nothing but its number. Nobody else makes a trial meanwhile. */
    const char *attribute;
    pml_status (*begin)(const pml_study_view *view, char **json, pml_error *error);
    /* Optional: draws what belongs together before the first suggestion of a trial. */
    pml_status (*draw_joint)(const pml_study_view *view, pml_joint *joint, pml_error *error);
    /* Draws one parameter by itself; its distribution has more than one value. */
    pml_status (*draw)(const pml_study_view *view, const char *name, const pml_distribution *distribution,
                       double *value, pml_error *error);
    /* Optional: whether there is nothing left that would be worth a trial. */
    pml_status (*is_exhausted)(const pml_study_view *view, bool *exhausted, pml_error *error);
} pml_trial_sampler;

typedef struct pml_verdict {
    bool prune;
    /* Rungs that the trial has completed with `rung_value`, to be remembered as "completed_rung_N" (successive
     * halving). */
    unsigned first_rung, n_rungs;
    double rung_value;
} pml_verdict;

typedef struct pml_pruner {
    pml_plugin plugin;
    /* About the view's trial, right after it reported. */
    pml_verdict (*judge)(const pml_study_view *view);
    /* Optional: which trials compete: those of which it says the same. It looks at `all`. */
    unsigned (*group)(const pml_study_view *view, uint64_t number);
} pml_pruner;

/* The registry; NULL: no such name, past the last. */
const pml_trial_sampler *pml_trial_sampler_get(const char *name);
const pml_trial_sampler *pml_trial_sampler_at(size_t i);
const pml_pruner *pml_pruner_get(const char *name);
const pml_pruner *pml_pruner_at(size_t i);

/* Reads "tpe" or "tpe:group=true,n_startup_trials=20" (runtime/base/plugin.h). */
pml_status pml_trial_sampler_choose(const char *spec, const pml_trial_sampler **sampler, pml_settings *settings,
                                    pml_error *error) PML_WARN_UNUSED;
pml_status pml_pruner_choose(const char *spec, const pml_pruner **pruner, pml_settings *settings,
                             pml_error *error) PML_WARN_UNUSED;

#endif
