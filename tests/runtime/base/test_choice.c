#include "tests/harness.h"

#include "runtime/base/choice.h"

static void only_whole_choices_count(void) {
    CU_ASSERT(pml_choice_has("cpu|batchnorm", "cpu") && pml_choice_has("cpu|batchnorm", "batchnorm"));
    CU_ASSERT(!pml_choice_has("cpu|batchnorm", "batch") && !pml_choice_has("cpu|batchnorm", "norm"));
    CU_ASSERT(!pml_choice_has("cpu|batchnorm", "cpu|batchnorm") && !pml_choice_has("cpu|batchnorm", ""));
    CU_ASSERT(!pml_choice_has("cpu", "CPU") && !pml_choice_has("cpu", "cpux"));
}

static void an_empty_choice_is_one(void) {
    CU_ASSERT(pml_choice_has("cpu|", "") && pml_choice_has("", ""));
    CU_ASSERT(!pml_choice_has("", "cpu"));
}

PML_TESTS("runtime/base/choice", PML_TEST(only_whole_choices_count), PML_TEST(an_empty_choice_is_one))
