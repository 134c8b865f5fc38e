/* The rule of the percentile and the median pruner. */
#ifndef PML_RUNTIME_TUNE_PERCENTILE_RULE_H
#define PML_RUNTIME_TUNE_PERCENTILE_RULE_H

#include "runtime/tune/tuner.h"

typedef struct pml_percentile_rule {
    double percentile; /* of the completed trials, how many percent are good enough */
    double n_startup_trials, n_warmup_steps, interval_steps, n_min_trials;
} pml_percentile_rule;

/* Optuna's `PercentilePruner` (v5), after the median stopping rule of Vizier (Golovin et al. 2017): prune where the
 * best that the trial has reported is worse than that percentile of what completed trials reported at the same step. */
pml_verdict pml_percentile_judge(const pml_percentile_rule *rule, const pml_study_view *view);

/* The rows that both have in their settings, in the order of the struct above. */
#define PML_PERCENTILE_SETTINGS                                                                                        \
    {"n_startup_trials", PML_PLUGIN_INTEGER, "5", "[0, 1e6]", "completed trials before the first one is pruned"},      \
        {"n_warmup_steps", PML_PLUGIN_INTEGER, "0", "[0, 1e9]", "no trial is pruned at an earlier step"},              \
        {"interval_steps", PML_PLUGIN_INTEGER, "1", "[1, 1e9]", "steps between two judgements"}, {                     \
        "n_min_trials", PML_PLUGIN_INTEGER, "1", "[1, 1e6]", "trials that must have reported at the step"              \
    }

#endif
