#include "runtime/tune/study.h"
#include "tests/harness.h"

static void prunes_nothing(void) {
    pml_error error;
    pml_study *study = NULL;
    const pml_trial *trial = NULL;
    bool prune = true;
    PML_ASSERT_OK(pml_study_open(&(pml_study_options){0}, &study, &error), &error);
    for (int i = 0; i < 8; i++) {
        PML_ASSERT_OK(pml_study_ask(study, &trial, &error), &error);
        PML_ASSERT_OK(pml_study_report(study, trial, 3, 100.0 * i, &error), &error);
        PML_ASSERT_OK(pml_study_should_prune(study, trial, &prune, &error), &error);
        CU_ASSERT_FALSE(prune);
        PML_ASSERT_OK(pml_study_tell(study, trial, PML_TRIAL_COMPLETE, i, &error), &error);
    }
    pml_study_close(study);
}

PML_TESTS("runtime/tune/none", PML_TEST(prunes_nothing))
