/* The median stopping rule with another share than a half. */
#include "runtime/tune/percentile_rule.h"

static pml_verdict judge(const pml_study_view *view) {
    const double *s = view->settings;
    const pml_percentile_rule rule = {s[4], s[0], s[1], s[2], s[3]};
    return pml_percentile_judge(&rule, view);
}

static const pml_tuner_setting settings[] = {
    PML_PERCENTILE_SETTINGS,
    {"percentile", 25, 0, 100, false, "how many percent of those that were as far are good enough"},
    {NULL, 0, 0, 0, false, NULL}};

const pml_pruner pml_pruner_percentile = {.name = "percentile",
                                          .summary = "the best percent of those that were as far go on",
                                          .settings = settings,
                                          .judge = judge};
