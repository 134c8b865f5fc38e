/* The median stopping rule with another share than a half. */
#include "runtime/tune/percentile_rule.h"

static pml_verdict judge(const pml_study_view *view) {
    const pml_settings *s = view->settings;
    const pml_percentile_rule rule = {pml_setting(s, 4), pml_setting(s, 0), pml_setting(s, 1), pml_setting(s, 2),
                                      pml_setting(s, 3)};
    return pml_percentile_judge(&rule, view);
}

static const pml_plugin_option options[] = {
    PML_PERCENTILE_SETTINGS,
    {"percentile", PML_PLUGIN_NUMBER, "25", "[0, 100]", "how many percent of those that were as far are good enough"},
    {0}};

const pml_pruner pml_pruner_percentile = {
    .plugin = {.name = "percentile", .help = "the best percent of those that were as far go on", .options = options},
    .judge = judge};
