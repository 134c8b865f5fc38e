#include <math.h>
#include <stdio.h>

#include "runtime/tune/study.h"
#include "tests/harness.h"

/* The best of `n` trials on a bowl with a choice, of which one costs. */
static double search(const char *spec, uint64_t seed, int n) {
    static const char *const choices[] = {"a", "b", "c"};
    pml_error error;
    pml_study *study = NULL;
    pml_settings settings;
    const pml_trial_sampler *sampler = NULL;
    PML_ASSERT_OK(pml_trial_sampler_choose(spec, &sampler, &settings, &error), &error);
    const pml_study_options options = {.sampler = sampler, .sampler_settings = &settings, .seed = seed};
    PML_ASSERT_OK(pml_study_open(&options, &study, &error), &error);
    for (int i = 0; i < n; i++) {
        const pml_trial *trial = NULL;
        double x = 0, y = 0;
        size_t c = 0;
        PML_ASSERT_OK(pml_study_ask(study, &trial, &error), &error);
        PML_ASSERT_OK(pml_study_suggest_float(study, trial, "x", -5, 5, 0, false, &x, &error), &error);
        PML_ASSERT_OK(pml_study_suggest_choice(study, trial, "c", choices, 3, &c, &error), &error);
        if (c != 2) { /* there only sometimes */
            PML_ASSERT_OK(pml_study_suggest_float(study, trial, "y", 1e-3, 1e3, 0, true, &y, &error), &error);
            y = log10(y) - 1;
        }
        const double value = (x - 1) * (x - 1) + y * y + (c == 2 ? 3 : 0);
        PML_ASSERT_OK(pml_study_tell(study, trial, PML_TRIAL_COMPLETE, value, &error), &error);
    }
    const double best = pml_study_best(study)->value;
    pml_study_close(study);
    return best;
}

/* In each of its forms it comes nearer than chance does, on most seeds. */
static void is_better_than_chance(void) {
    static const char *const forms[] = {"tpe", "tpe:group=true", "tpe:multivariate=false"};
    for (int form = 0; form < 3; form++) {
        int n_better = 0;
        double gain = 0;
        for (uint64_t seed = 0; seed < 40; seed++) {
            const double found = search(forms[form], seed, 50), by_chance = search("random", seed, 50);
            n_better += found < by_chance;
            gain += log(by_chance / found);
        }
        CU_ASSERT_TRUE(n_better >= 25);
        CU_ASSERT_TRUE(gain > 20);
    }
}

static void the_same_seed_searches_the_same(void) {
    CU_ASSERT_EQUAL(search("tpe", 3, 30), search("tpe", 3, 30));
    CU_ASSERT_NOT_EQUAL(search("tpe", 3, 30), search("tpe", 4, 30));
}

/* Trials of other workers that run at one place keep new ones away from it. */
static void running_trials_count_as_bad(void) {
    pml_error error;
    double distance[2] = {0, 0};
    for (int lies = 0; lies < 2; lies++) {
        for (uint64_t seed = 0; seed < 20; seed++) {
            const pml_trial_sampler *tpe = NULL;
            pml_settings settings;
            double x = 0;
            pml_study *study = NULL;
            const pml_trial *trial = NULL;
            PML_ASSERT_OK(pml_trial_sampler_choose(lies ? "tpe" : "tpe:constant_liar=false", &tpe, &settings, &error),
                          &error);
            const pml_study_options options = {.sampler = tpe, .sampler_settings = &settings, .seed = seed};
            PML_ASSERT_OK(pml_study_open(&options, &study, &error), &error);
            for (int i = 0; i < 20; i++) {
                PML_ASSERT_OK(pml_study_ask(study, &trial, &error), &error);
                PML_ASSERT_OK(pml_study_suggest_float(study, trial, "x", -1, 1, 0, false, &x, &error), &error);
                PML_ASSERT_OK(pml_study_tell(study, trial, PML_TRIAL_COMPLETE, fabs(x), &error), &error);
            }
            double last = 0;
            for (int i = 0; i < 10; i++) { /* these stay running */
                PML_ASSERT_OK(pml_study_ask(study, &trial, &error), &error);
                PML_ASSERT_OK(pml_study_suggest_float(study, trial, "x", -1, 1, 0, false, &x, &error), &error);
                distance[lies] += i > 0 ? fabs(x - last) : 0;
                last = x;
            }
            pml_study_close(study);
        }
    }
    CU_ASSERT_TRUE(distance[1] > 1.3 * distance[0]);
}

PML_TESTS("runtime/tune/tpe", PML_TEST(is_better_than_chance), PML_TEST(the_same_seed_searches_the_same),
          PML_TEST(running_trials_count_as_bad))
