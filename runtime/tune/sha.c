/* Successive halving. */
#include "runtime/tune/halving.h"

static pml_verdict judge(const pml_study_view *view) {
    const double *s = view->settings;
    const pml_halving halving = {s[0], s[1], s[2], s[3]};
    return pml_halving_judge(&halving, view);
}

static const pml_tuner_setting settings[] = {
    {"min_resource", 0, 0, 1e9, true, "step at which the first rung ends; 0: by the longest completed trial"},
    {"reduction_factor", 4, 2, 1e6, true, "one in so many goes on"},
    {"min_early_stopping_rate", 0, 0, 60, true, "rungs that are left out at the beginning"},
    {"bootstrap_count", 0, 0, 1e6, true, "trials that a rung needs before any goes on"},
    {NULL, 0, 0, 0, false, NULL}};

const pml_pruner pml_pruner_sha = {.name = "sha",
                                   .summary = "successive halving: the best few of each rung go on",
                                   .settings = settings,
                                   .judge = judge};
