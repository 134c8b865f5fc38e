/* Pruners against what Optuna's said about the same reports (scripts/make_tune_cases.py). */
#ifndef PML_TESTS_RUNTIME_TUNE_PRUNER_FIXTURE_H
#define PML_TESTS_RUNTIME_TUNE_PRUNER_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "runtime/tune/study.h"
#include "tests/harness.h"
#include "tests/runtime/tune/tune_cases.h"

/* At which step the next trial is pruned; N_STEPS: not at all. */
static int pruner_run_trial(pml_study *study, int t) {
    pml_error error;
    const pml_trial *trial = NULL;
    bool prune = false;
    PML_ASSERT_OK(pml_study_ask(study, &trial, &error), &error);
    for (int s = 0; s < N_STEPS; s++) {
        PML_ASSERT_OK(pml_study_report(study, trial, s, curves[t][s], &error), &error);
        PML_ASSERT_OK(pml_study_should_prune(study, trial, &prune, &error), &error);
        if (prune) {
            PML_ASSERT_OK(pml_study_tell(study, trial, PML_TRIAL_PRUNED, 0, &error), &error);
            return s;
        }
    }
    PML_ASSERT_OK(pml_study_tell(study, trial, PML_TRIAL_COMPLETE, curves[t][N_STEPS - 1], &error), &error);
    return N_STEPS;
}

static void pruner_run_case(const pruner_case *c) {
    pml_error error;
    pml_study *study = NULL;
    char spec[200];
    int used = snprintf(spec, sizeof spec, "%s", c->pruner);
    pml_settings settings;
    const pml_pruner *pruner = NULL;
    for (size_t i = 0; c->settings[i] != NULL; i++) {
        used += snprintf(spec + used, sizeof spec - (size_t)used, "%c%s", i == 0 ? ':' : ',', c->settings[i]);
    }
    PML_ASSERT_OK(pml_pruner_choose(spec, &pruner, &settings, &error), &error);
    const pml_study_options options = {.name = "cases",
                                       .direction = c->maximize ? PML_STUDY_MAXIMIZE : PML_STUDY_MINIMIZE,
                                       .sampler = pml_trial_sampler_get("random"),
                                       .pruner = pruner,
                                       .pruner_settings = &settings};
    PML_ASSERT_OK(pml_study_open(&options, &study, &error), &error);
    for (int t = 0; t < N_TRIALS; t++) {
        const int at = pruner_run_trial(study, t);
        if (at != c->pruned_at[t]) {
            (void)printf("%s, %s: trial %d was pruned at %d, by Optuna at %d\n", c->pruner, c->settings[0], t, at,
                         c->pruned_at[t]);
        }
        CU_ASSERT_EQUAL(at, c->pruned_at[t]);
    }
    pml_study_close(study);
}

static void pruner_run_cases(const char *name) {
    size_t n = 0;
    for (size_t i = 0; i < sizeof pruner_cases / sizeof pruner_cases[0]; i++) {
        if (strcmp(pruner_cases[i].pruner, name) == 0) {
            pruner_run_case(&pruner_cases[i]);
            n++;
        }
    }
    CU_ASSERT_TRUE(n > 0);
}

#endif
