/* No trial is given up. */
#include "runtime/tune/tuner.h"

static pml_verdict judge(const pml_study_view *view) {
    (void)view;
    return (pml_verdict){.prune = false};
}

static const pml_tuner_setting settings[] = {{NULL, 0, 0, 0, false, NULL}};

const pml_pruner pml_pruner_none = {
    .name = "none", .summary = "every trial runs to its end", .settings = settings, .judge = judge};
