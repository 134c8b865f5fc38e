#include <math.h>
#include <string.h>

#include "runtime/tune/study.h"
#include "tests/harness.h"

/* 3 rates x (2 ints without momentum + 2 ints x 2 momenta) = 18 points. */
static const char space_json[] =
    "{\"rate\": {\"type\": \"float\", \"low\": 0.01, \"high\": 1, \"log\": true, \"resolution\": 3},"
    " \"n\": {\"type\": \"int\", \"low\": 1, \"high\": 3, \"step\": 2},"
    " \"opt\": {\"type\": \"categorical\", \"choices\": [\"adam\", \"sgd\"]},"
    " \"momentum\": {\"type\": \"float\", \"low\": 0, \"high\": 0.9, \"resolution\": 2,"
    " \"if\": {\"opt\": \"sgd\"}}}";

static void every_point_comes_once(void) {
    pml_error error;
    pml_space space = {0};
    pml_study *study = NULL;
    double seen[32][4];
    size_t n = 0;
    bool complete = true;
    PML_ASSERT_OK(pml_space_parse(space_json, strlen(space_json), "space", &space, &error), &error);
    const pml_study_options options = {.sampler = pml_trial_sampler_get("grid"), .space = &space};
    PML_ASSERT_OK(pml_study_open(&options, &study, &error), &error);
    for (;; n++) {
        const pml_trial *trial = NULL;
        PML_ASSERT_OK(pml_study_ask(study, &trial, &error), &error);
        if (trial == NULL || n == 32) {
            break;
        }
        PML_ASSERT_OK(pml_study_is_complete(study, &complete, &error), &error);
        CU_ASSERT_FALSE(complete);
        PML_ASSERT_OK(pml_study_suggest_space(study, trial, seen[n], &error), &error);
        CU_ASSERT_EQUAL(isnan(seen[n][3]), seen[n][2] == 0);
        for (size_t i = 0; i < n; i++) {
            CU_ASSERT_FALSE(seen[i][0] == seen[n][0] && seen[i][1] == seen[n][1] && seen[i][2] == seen[n][2] &&
                            (isnan(seen[n][3]) || seen[i][3] == seen[n][3]));
        }
        CU_ASSERT_TRUE(fabs(seen[n][0] - 0.01) < 1e-9 || fabs(seen[n][0] - 0.1) < 1e-9 || seen[n][0] == 1);
        PML_ASSERT_OK(pml_study_tell(study, trial, PML_TRIAL_COMPLETE, 1, &error), &error);
    }
    CU_ASSERT_EQUAL(n, 18);
    PML_ASSERT_OK(pml_study_is_complete(study, &complete, &error), &error);
    CU_ASSERT_TRUE(complete);
    pml_study_close(study);
    pml_space_deinit(&space);
}

static void needs_a_declared_space(void) {
    pml_error error;
    pml_study *study = NULL;
    const pml_study_options options = {.sampler = pml_trial_sampler_get("grid")};
    PML_ASSERT_FAILS(pml_study_open(&options, &study, &error), PML_E_ARGUMENT, &error, "grid");
}

static void too_many_points_are_refused(void) {
    static const char json[] = "{\"a\": {\"type\": \"int\", \"low\": 1, \"high\": 2000},"
                               " \"b\": {\"type\": \"int\", \"low\": 1, \"high\": 2000}}";
    pml_error error;
    pml_space space = {0};
    pml_study *study = NULL;
    const pml_trial *trial = NULL;
    PML_ASSERT_OK(pml_space_parse(json, strlen(json), "space", &space, &error), &error);
    const pml_study_options options = {.sampler = pml_trial_sampler_get("grid"), .space = &space};
    PML_ASSERT_OK(pml_study_open(&options, &study, &error), &error);
    PML_ASSERT_FAILS(pml_study_ask(study, &trial, &error), PML_E_CONFIG, &error, "points");
    pml_study_close(study);
    pml_space_deinit(&space);
}

PML_TESTS("runtime/tune/grid", PML_TEST(every_point_comes_once), PML_TEST(needs_a_declared_space),
          PML_TEST(too_many_points_are_refused))
