#include <string.h>

#include "runtime/pml.h"
#include "tests/harness.h"

static void finds_families_by_name(void) {
    const pml_family *family = pml_family_get("patchtst");
    CU_ASSERT_PTR_NOT_NULL_FATAL(family);
    CU_ASSERT_STRING_EQUAL(pml_family_name(family), "patchtst");
    CU_ASSERT_TRUE(strlen(pml_family_architecture(family)) > 10);
    CU_ASSERT_PTR_NULL(pml_family_get("patchtst2"));
    CU_ASSERT_PTR_NULL(pml_family_get(""));
    CU_ASSERT_PTR_NULL(pml_family_get(NULL));
}

static bool lists(const char *const *list, const char *text) {
    for (; *list != NULL; list++) {
        if (strcmp(*list, text) == 0) {
            return true;
        }
    }
    return false;
}

static void lists_all_families(void) {
    size_t n = 0;
    for (const pml_family *family; (family = pml_family_at(n)) != NULL; n++) {
        CU_ASSERT_PTR_EQUAL(pml_family_get(pml_family_name(family)), family);
        CU_ASSERT_PTR_NOT_NULL(pml_family_variants(family)[0]);
        CU_ASSERT_PTR_NOT_NULL(pml_family_known_repos(family));
    }
    CU_ASSERT_TRUE(n >= 1);
    CU_ASSERT_PTR_NULL(pml_family_at(SIZE_MAX));
    const pml_family *family = pml_family_get("patchtst");
    CU_ASSERT_TRUE(lists(pml_family_variants(family), "prediction-ci"));
    CU_ASSERT_TRUE(lists(pml_family_variants(family), "classification-cd"));
    CU_ASSERT_TRUE(lists(pml_family_known_repos(family), "ibm-granite/granite-timeseries-patchtst"));
}

PML_TESTS("runtime/schema/family", PML_TEST(finds_families_by_name), PML_TEST(lists_all_families))
