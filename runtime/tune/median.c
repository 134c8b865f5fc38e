/* The median stopping rule: better than half of those that were as far. */
#include "runtime/tune/percentile_rule.h"

static pml_verdict judge(const pml_study_view *view) {
    const pml_settings *s = view->settings;
    const pml_percentile_rule rule = {50, pml_setting(s, 0), pml_setting(s, 1), pml_setting(s, 2), pml_setting(s, 3)};
    return pml_percentile_judge(&rule, view);
}

static const pml_plugin_option options[] = {PML_PERCENTILE_SETTINGS, {0}};

const pml_pruner pml_pruner_median = {
    .plugin = {.name = "median", .help = "the better half of those that were as far goes on", .options = options},
    .judge = judge};
