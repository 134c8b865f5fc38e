/* Detection as a user sees it. */
#include <cjson/cJSON.h>

#include "tests/convert/checkpoint.h"
#include "tests/convert/command_fixture.h"

/* The parsed answer of `detect --json ARGUMENTS`; asserts the exit code. The caller deletes it. */
static cJSON *detect(int expected, const char *arguments) {
    char *output = NULL;
    CU_ASSERT_EQUAL(test_convert(&output, "detect --json %s 2>/dev/null", arguments), expected);
    cJSON *root = cJSON_Parse(output);
    if (root == NULL) {
        printf("\n%s\n", output);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    free(output);
    return root;
}

static const cJSON *candidate(const cJSON *root) {
    return cJSON_GetArrayItem(cJSON_GetObjectItem(root, "candidates"), 0);
}

static bool list_mentions(const cJSON *list, const char *part) {
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, list) {
        if (cJSON_IsString(item) && strstr(item->valuestring, part) != NULL) {
            return true;
        }
    }
    return false;
}

static void a_whole_checkpoint(void) {
    const char *source = test_copy_case(TEST_CASE, "whole");
    if (source == NULL) {
        return;
    }
    cJSON *root = detect(0, source);
    const cJSON *c = candidate(root);
    CU_ASSERT_STRING_EQUAL(cJSON_GetObjectItem(c, "family")->valuestring, "patchtst");
    CU_ASSERT_STRING_EQUAL(cJSON_GetObjectItem(c, "dialect")->valuestring, "hf");
    CU_ASSERT_TRUE(cJSON_IsTrue(cJSON_GetObjectItem(c, "accepted")));
    CU_ASSERT_PTR_NOT_NULL(strstr(cJSON_GetObjectItem(c, "variant")->valuestring, "prediction-ci"));
    CU_ASSERT_EQUAL(cJSON_GetArraySize(cJSON_GetObjectItem(c, "missing")), 0);
    CU_ASSERT_EQUAL(cJSON_GetArraySize(cJSON_GetObjectItem(c, "unexpected")), 0);
    CU_ASSERT_TRUE(cJSON_IsNull(cJSON_GetObjectItem(root, "error")));
    CU_ASSERT_TRUE(list_mentions(cJSON_GetObjectItem(c, "reasons"), "tensors"));
    cJSON_Delete(root);
    TEST_EXITS(0, "prediction-ci", "detect '%s'", source);
    TEST_EXITS(0, "num_batches_tracked", "detect '%s'", source); /* what is dropped is told */
}

static void channels_dependent(void) {
    const char *source = test_copy_case("patchtst/hf-cd-prediction", "cd");
    if (source == NULL) {
        return;
    }
    TEST_EXITS(0, "prediction-cd", "detect '%s'", source);
}

/* Without a config the family is found and the rest is asked for; told, it can be converted. */
static void tensors_alone(void) {
    const char *source = test_copy_case(TEST_CASE, "alone");
    if (source == NULL) {
        return;
    }
    CU_ASSERT_EQUAL_FATAL(unlink(pml_test_path("%s/config.json", source)), 0);
    cJSON *root = detect(0, source);
    CU_ASSERT_TRUE(cJSON_IsTrue(cJSON_GetObjectItem(candidate(root), "accepted")));
    CU_ASSERT_TRUE(list_mentions(cJSON_GetObjectItem(candidate(root), "assumed"), "d_model = 16"));
    const cJSON *error = cJSON_GetObjectItem(root, "error");
    CU_ASSERT_TRUE_FATAL(cJSON_IsString(error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error->valuestring, "--set num_attention_heads="));
    cJSON_Delete(root);
    root = detect(0, pml_test_path("'%s' --set head=prediction --set num_input_channels=3 --set context_length=48 "
                                   "--set patch_stride=8 --set num_attention_heads=4 --set pre_norm=true "
                                   "--set activation=gelu --set scaling=std --set prediction_length=8",
                                   source));
    CU_ASSERT_TRUE(cJSON_IsNull(cJSON_GetObjectItem(root, "error")));
    cJSON_Delete(root);
}

static void what_does_not_fit_is_an_error(void) {
    const char *source = test_copy_case(TEST_CASE, "broken");
    if (source == NULL) {
        return;
    }
    const char *config = pml_test_path("%s/config.json", source);
    /* Another family is claimed. */
    test_replace_text(config, "\"model_type\": \"patchtst\"", "\"model_type\": \"bert\"");
    cJSON *root = detect(78, source);
    CU_ASSERT_PTR_NOT_NULL(strstr(cJSON_GetObjectItem(root, "error")->valuestring, "bert"));
    cJSON_Delete(root);
    test_replace_text(config, "\"model_type\": \"bert\"", "\"model_type\": \"patchtst\"");
    TEST_EXITS(0, NULL, "detect '%s'", source);
    /* A value that nobody knows. */
    test_replace_text(config, "\"activation_function\": \"gelu\"", "\"activation_function\": \"sinusoid\"");
    TEST_EXITS(65, "activation_function", "detect '%s'", source);
    /* A setting that contradicts the tensors. */
    test_replace_text(config, "\"activation_function\": \"sinusoid\"", "\"activation_function\": \"gelu\"");
    char *output = NULL;
    int code = test_convert(&output, "detect '%s' --set d_model=32", source);
    CU_ASSERT_TRUE(code == 65 || code == 78);
    free(output);
    TEST_EXITS(2, "nothing-of-the-kind", "detect '%s' --arch nothing-of-the-kind", source);
    TEST_EXITS(2, NULL, "detect '%s' --set d_model", source);
    TEST_EXITS(66, "no-rules", "detect '%s' --map '%s/no-rules'", source, source);
}

static void foreign_tensors_fit_nothing(void) {
    static const float numbers[4] = {0};
    const char *path = pml_test_path("%s/foreign.safetensors", pml_test_temporary_dir());
    const test_tensor tensors[] = {{"\\u001b[31munknown", PML_DTYPE_F32, 1, {4}, numbers}};
    test_write_safetensors(path, tensors, 1, 0);
    char *output = NULL;
    CU_ASSERT_EQUAL(test_convert(&output, "detect '%s'", path), 65);
    CU_ASSERT_PTR_NULL(strchr(output, 0x1B));
    free(output);
}

/* A checkpoint under other names is understood with the user's rules. */
static void other_names_with_rules(void) {
    const char *source = test_copy_case(TEST_CASE, "renamed");
    if (source == NULL) {
        return;
    }
    const char *weights = pml_test_path("%s/model.safetensors", source);
    size_t size = 0;
    unsigned char *bytes = pml_test_read_file(weights, &size);
    static const char from[] = "\"head.projection.weight\"", to[] = "\"tail.projection.weight\"";
    unsigned char *at = memmem(bytes, size, from, sizeof from - 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    memcpy(at, to, sizeof to - 1);
    pml_test_write_file(weights, bytes, size);
    free(bytes);
    TEST_EXITS(78, "head.projection.weight", "detect '%s'", source);
    const char *rules = pml_test_path("%s/rules.txt", source);
    static const char text[] = "# our own head\ntail.projection.weight head.0.weight transpose\n";
    pml_test_write_file(rules, text, sizeof text - 1);
    TEST_EXITS(0, "accepted", "detect '%s' --map '%s'", source, rules);
}

static void command(void) {
    test_usage("detect", "x");
    TEST_EXITS(66, "nowhere", "detect '%s/nowhere'", pml_test_temporary_dir());
    TEST_EXITS(74, NULL, "detect /dev/null");
}

PML_TESTS("convert/detect", PML_TEST(a_whole_checkpoint), PML_TEST(channels_dependent), PML_TEST(tensors_alone),
          PML_TEST(what_does_not_fit_is_an_error), PML_TEST(foreign_tensors_fit_nothing),
          PML_TEST(other_names_with_rules), PML_TEST(command))
