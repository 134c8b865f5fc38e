#include "formats/json_document.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/limits.h"
#include "tests/harness.h"

static pml_status parse(const char *text, cJSON **root, pml_error *error) {
    return pml_json_document_parse(text, strlen(text), "config.json", root, error);
}

static void parses_a_config(void) {
    cJSON *root;
    pml_error error;
    PML_ASSERT_OK(
        parse("{\"d_model\": 16, \"eps\": 1e-05, \"name\": \"\\u00e4\", \"list\": [1, null, true]}\n", &root, &error),
        &error);
    CU_ASSERT_EQUAL(cJSON_GetObjectItemCaseSensitive(root, "d_model")->valueint, 16);
    CU_ASSERT_EQUAL(cJSON_GetObjectItemCaseSensitive(root, "eps")->valuedouble, 1e-05);
    CU_ASSERT_STRING_EQUAL(cJSON_GetObjectItemCaseSensitive(root, "name")->valuestring, "\xc3\xa4");
    CU_ASSERT_EQUAL(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(root, "list")), 3);
    cJSON_Delete(root);
}

/* What cJSON alone would let pass or cut. */
static void rejects_what_cjson_accepts(void) {
    static const char *const texts[] = {
        "{\"a\":01}",     "{\"a\":1}x",  "{\"a\\u0000b\":1}", "{\"a\":\"\xff\"}", "{\"a\":1,\"a\":2}",
        "\xef\xbb\xbf{}", "{\"a\":1,}",  "{\"a\":+1}",        "{\"a\":.5}",       "{\"a\":1.}",
        "{\"a\":\"\t\"}", "{\"a\":NaN}", "{\"a\":1e999}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        cJSON *root = (cJSON *)1;
        pml_error error;
        PML_ASSERT_FAILS(parse(texts[i], &root, &error), PML_E_FORMAT, &error, "config.json:1:");
        CU_ASSERT_PTR_NULL(root);
    }
}

static void says_line_and_column(void) {
    cJSON *root;
    pml_error error;
    PML_ASSERT_FAILS(parse("{\n \"a\": }\n", &root, &error), PML_E_FORMAT, &error, "config.json:2:7: ");
    PML_ASSERT_FAILS(parse("", &root, &error), PML_E_FORMAT, &error, "config.json:1:1: ");
}

/* Older cJSON reads at most 63 characters of a number: then it must be refused, never cut. */
static void never_cuts_a_long_number(void) {
    char text[256] = "[0.";
    for (size_t n_digits = 50; n_digits < 200; n_digits++) {
        memset(text + 3, '0', n_digits);
        memcpy(text + 3 + n_digits, "25e2]", 6);
        /* 0.<n zeros>25e2, so that losing any character changes the value */
        char *end = NULL;
        double value = strtod(text + 1, &end);
        cJSON *root = NULL;
        pml_error error = {.message = ""};
        pml_status status = pml_json_document_parse(text, strlen(text), "c", &root, &error);
        if (status == PML_OK) {
            CU_ASSERT_EQUAL(cJSON_GetArrayItem(root, 0)->valuedouble, value);
        } else {
            CU_ASSERT(n_digits > 57 && status == PML_E_FORMAT && strstr(error.message, "63 characters") != NULL);
        }
        cJSON_Delete(root);
    }
}

static void limits_the_size(void) {
    size_t size_bytes = PML_MAX_CONFIG_BYTES + 1;
    char *text = malloc(size_bytes);
    memset(text, ' ', size_bytes);
    text[0] = '1';
    cJSON *root;
    pml_error error;
    PML_ASSERT_OK(pml_json_document_parse(text, size_bytes - 1, "c", &root, &error), &error);
    cJSON_Delete(root);
    PML_ASSERT_FAILS(pml_json_document_parse(text, size_bytes, "c", &root, &error), PML_E_FORMAT, &error,
                     "more than allowed");
    free(text);
}

static void survives_failing_allocations(void) {
    unsigned long n = 0;
    pml_status status;
    do {
        cJSON *root;
        pml_error error;
        n++;
        pml_test_fail_allocation(n, n % 2 == 0);
        status = parse("{\"a\":[1,{\"b\":\"text\"},null],\"c\":\"d\"}", &root, &error);
        pml_test_fail_allocation(0, false);
        CU_ASSERT(status == PML_OK || (status == PML_E_MEMORY && root == NULL));
        cJSON_Delete(root);
    } while (status != PML_OK && n < 1000);
    CU_ASSERT(n > 8 && n < 1000);
}

PML_TESTS("formats/json_document", PML_TEST(parses_a_config), PML_TEST(rejects_what_cjson_accepts),
          PML_TEST(says_line_and_column), PML_TEST(never_cuts_a_long_number), PML_TEST(limits_the_size),
          PML_TEST(survives_failing_allocations))
