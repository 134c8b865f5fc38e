/* Successive halving. */
#include "runtime/tune/halving.h"

static pml_verdict judge(const pml_study_view *view) {
    const pml_settings *s = view->settings;
    const pml_halving halving = {pml_setting(s, 0), pml_setting(s, 1), pml_setting(s, 2), pml_setting(s, 3)};
    return pml_halving_judge(&halving, view);
}

static const pml_plugin_option options[] = {
    {"min_resource", PML_PLUGIN_INTEGER, "0", "[0, 1e9]",
     "step at which the first rung ends; 0: by the longest completed trial"},
    {"reduction_factor", PML_PLUGIN_INTEGER, "4", "[2, 1e6]", "one in so many goes on"},
    {"min_early_stopping_rate", PML_PLUGIN_INTEGER, "0", "[0, 60]", "rungs that are left out at the beginning"},
    {"bootstrap_count", PML_PLUGIN_INTEGER, "0", "[0, 1e6]", "trials that a rung needs before any goes on"},
    {0}};

const pml_pruner pml_pruner_sha = {
    .plugin = {.name = "sha", .help = "successive halving: the best few of each rung go on", .options = options},
    .judge = judge};
