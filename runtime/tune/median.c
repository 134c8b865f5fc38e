/* The median stopping rule: better than half of those that were as far. */
#include "runtime/tune/percentile_rule.h"

static pml_verdict judge(const pml_study_view *view) {
    const double *s = view->settings;
    const pml_percentile_rule rule = {50, s[0], s[1], s[2], s[3]};
    return pml_percentile_judge(&rule, view);
}

static const pml_tuner_setting settings[] = {PML_PERCENTILE_SETTINGS, {NULL, 0, 0, 0, false, NULL}};

const pml_pruner pml_pruner_median = {.name = "median",
                                      .summary = "the better half of those that were as far goes on",
                                      .settings = settings,
                                      .judge = judge};
