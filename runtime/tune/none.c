/* No trial is given up. */
#include "runtime/tune/tuner.h"

static pml_verdict judge(const pml_study_view *view) {
    (void)view;
    return (pml_verdict){.prune = false};
}

const pml_pruner pml_pruner_none = {.plugin = {.name = "none", .help = "every trial runs to its end"}, .judge = judge};
