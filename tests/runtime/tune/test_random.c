#include <math.h>
#include <stdio.h>

#include "runtime/tune/study.h"
#include "tests/harness.h"

static pml_study *open_study(uint64_t seed) {
    pml_error error;
    pml_study *study = NULL;
    const pml_study_options options = {.sampler = pml_trial_sampler_get("random"), .seed = seed};
    PML_ASSERT_OK(pml_study_open(&options, &study, &error), &error);
    return study;
}

/* Shares of a range: by logarithm, by steps, by choices. */
static void every_value_is_as_likely(void) {
    enum { N = 4000 };
    pml_error error;
    pml_study *study = open_study(1);
    int low = 0, counts[4] = {0}, choices[3] = {0};
    static const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < N; i++) {
        const pml_trial *trial = NULL;
        double rate = 0;
        int64_t whole = 0;
        size_t i_choice = 0;
        PML_ASSERT_OK(pml_study_ask(study, &trial, &error), &error);
        PML_ASSERT_OK(pml_study_suggest_float(study, trial, "rate", 1e-4, 1, 0, true, &rate, &error), &error);
        PML_ASSERT_OK(pml_study_suggest_int(study, trial, "n", 2, 8, 2, false, &whole, &error), &error);
        PML_ASSERT_OK(pml_study_suggest_choice(study, trial, "c", names, 3, &i_choice, &error), &error);
        CU_ASSERT_TRUE(rate >= 1e-4 && rate <= 1 && whole >= 2 && whole <= 8 && whole % 2 == 0 && i_choice < 3);
        low += rate < 1e-2;
        counts[whole / 2 - 1]++;
        choices[i_choice]++;
        PML_ASSERT_OK(pml_study_tell(study, trial, PML_TRIAL_COMPLETE, rate, &error), &error);
    }
    CU_ASSERT_TRUE(abs(low - N / 2) < 5 * 32);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_TRUE(abs(counts[i] - N / 4) < 5 * 28);
    }
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_TRUE(abs(choices[i] - N / 3) < 5 * 30);
    }
    pml_study_close(study);
}

/* What a trial tries depends on seed and number, not on who else has asked. */
static void draws_by_seed_and_number(void) {
    pml_error error;
    double first[2][3], other = 0;
    for (int run = 0; run < 2; run++) {
        pml_study *study = open_study(5);
        const pml_trial *trials[3];
        for (int i = 0; i < 3; i++) {
            PML_ASSERT_OK(pml_study_ask(study, &trials[i], &error), &error);
        }
        for (int i = 0; i < 3; i++) {
            const int which = run == 0 ? i : 2 - i;
            PML_ASSERT_OK(
                pml_study_suggest_float(study, trials[which], "x", 0, 1, 0, false, &first[run][which], &error), &error);
        }
        pml_study_close(study);
    }
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(first[0][i], first[1][i]);
    }
    CU_ASSERT_NOT_EQUAL(first[0][0], first[0][1]);
    pml_study *study = open_study(6);
    const pml_trial *trial = NULL;
    PML_ASSERT_OK(pml_study_ask(study, &trial, &error), &error);
    PML_ASSERT_OK(pml_study_suggest_float(study, trial, "x", 0, 1, 0, false, &other, &error), &error);
    CU_ASSERT_NOT_EQUAL(other, first[0][0]);
    pml_study_close(study);
}

PML_TESTS("runtime/tune/random", PML_TEST(every_value_is_as_likely), PML_TEST(draws_by_seed_and_number))
