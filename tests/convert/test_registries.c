/* `models` and `formats`: what the registries hold, no more and no less. */
#include <cjson/cJSON.h>

#include "formats/format.h"
#include "tests/convert/command_fixture.h"

static cJSON *json_of(const char *command) {
    char *output = NULL;
    CU_ASSERT_EQUAL(test_convert(&output, "%s --json", command), 0);
    cJSON *root = cJSON_Parse(output);
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    free(output);
    return root;
}

static bool holds(const cJSON *list, const char *const *texts) {
    int n = 0;
    for (; texts[n] != NULL; n++) {
        const cJSON *item = cJSON_GetArrayItem(list, n);
        if (!cJSON_IsString(item) || strcmp(item->valuestring, texts[n]) != 0) {
            return false;
        }
    }
    return cJSON_GetArraySize(list) == n;
}

static void models_are_the_registered_families(void) {
    cJSON *root = json_of("models");
    const cJSON *models = cJSON_GetObjectItemCaseSensitive(root, "models");
    int n = 0;
    for (const pml_family *family; (family = pml_family_at((size_t)n)) != NULL; n++) {
        const cJSON *model = cJSON_GetArrayItem(models, n);
        CU_ASSERT_PTR_NOT_NULL_FATAL(model);
        CU_ASSERT_STRING_EQUAL(cJSON_GetObjectItem(model, "name")->valuestring, pml_family_name(family));
        CU_ASSERT_STRING_EQUAL(cJSON_GetObjectItem(model, "architecture")->valuestring,
                               pml_family_architecture(family));
        CU_ASSERT_TRUE(holds(cJSON_GetObjectItem(model, "variants"), pml_family_variants(family)));
        CU_ASSERT_TRUE(holds(cJSON_GetObjectItem(model, "known_repos"), pml_family_known_repos(family)));
        CU_ASSERT_TRUE(cJSON_GetArraySize(cJSON_GetObjectItem(model, "dialects")) > 0);
        TEST_EXITS(0, pml_family_name(family), "models");
        TEST_EXITS(0, pml_family_architecture(family), "models");
    }
    CU_ASSERT_EQUAL(cJSON_GetArraySize(models), n);
    CU_ASSERT_TRUE(n > 0);
    cJSON_Delete(root);
}

static void patchtst_speaks_the_hugging_face_dialect(void) {
    cJSON *root = json_of("models");
    const cJSON *model = NULL;
    bool found = false;
    cJSON_ArrayForEach(model, cJSON_GetObjectItemCaseSensitive(root, "models")) {
        const cJSON *dialect = NULL;
        bool is_ours = strcmp(cJSON_GetObjectItem(model, "name")->valuestring, "patchtst") == 0;
        cJSON_ArrayForEach(dialect, cJSON_GetObjectItem(model, "dialects")) {
            found = found || (is_ours && strcmp(dialect->valuestring, "hf") == 0);
        }
    }
    CU_ASSERT_TRUE(found);
    cJSON_Delete(root);
}

static void formats_are_the_registered_providers(void) {
    cJSON *root = json_of("formats");
    const cJSON *formats = cJSON_GetObjectItemCaseSensitive(root, "formats");
    int n = 0;
    for (; pml_formats[n] != NULL; n++) {
        const cJSON *format = cJSON_GetArrayItem(formats, n);
        CU_ASSERT_PTR_NOT_NULL_FATAL(format);
        CU_ASSERT_STRING_EQUAL(cJSON_GetObjectItem(format, "name")->valuestring, pml_formats[n]->name);
        CU_ASSERT_STRING_EQUAL(cJSON_GetObjectItem(format, "description")->valuestring, pml_formats[n]->description);
        static const char *const none[] = {NULL};
        const char *const *names = pml_formats[n]->file_names != NULL ? pml_formats[n]->file_names : none;
        CU_ASSERT_TRUE(holds(cJSON_GetObjectItem(format, "file_names"), names));
        const char *const *endings = pml_formats[n]->file_endings != NULL ? pml_formats[n]->file_endings : none;
        CU_ASSERT_TRUE(holds(cJSON_GetObjectItem(format, "file_endings"), endings));
        TEST_EXITS(0, pml_formats[n]->name, "formats");
    }
    CU_ASSERT_EQUAL(cJSON_GetArraySize(formats), n);
    CU_ASSERT_TRUE(n > 0);
    cJSON_Delete(root);
}

static void command(void) {
    test_usage("models", "");
    test_usage("formats", "");
    TEST_EXITS(74, NULL, "models >/dev/full");
    TEST_EXITS(74, NULL, "formats --json >/dev/full");
}

PML_TESTS("convert/registries", PML_TEST(models_are_the_registered_families),
          PML_TEST(patchtst_speaks_the_hugging_face_dialect), PML_TEST(formats_are_the_registered_providers),
          PML_TEST(command))
