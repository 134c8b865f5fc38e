/* The rule of successive halving, alone (sha) and in the brackets of hyperband. */
#ifndef PML_RUNTIME_TUNE_HALVING_H
#define PML_RUNTIME_TUNE_HALVING_H

#include "runtime/tune/tuner.h"

typedef struct pml_halving {
    double min_resource; /* 0: a hundredth of the longest completed trial's steps, at least 1 */
    double reduction_factor, min_early_stopping_rate, bootstrap_count;
} pml_halving;

/* Optuna's `SuccessiveHalvingPruner` (v5) after Li et al. 2020 (asynchronous successive halving): rung k ends at step
 * min_resource * reduction_factor^(min_early_stopping_rate + k), and a trial goes on behind it where it is among the
 * best 1 / reduction_factor of those that came as far. */
pml_verdict pml_halving_judge(const pml_halving *halving, const pml_study_view *view);

#endif
