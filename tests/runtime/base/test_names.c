#include "runtime/base/names.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/quote.h"
#include "tests/harness.h"

static void finds_what_was_added(void) {
    pml_names names = {0};
    pml_error error;
    size_t i_name;
    bool is_new;
    CU_ASSERT_FALSE(pml_names_find(&names, "0", 1, &i_name));
    for (size_t i = 0; i < 20000; i++) {
        char text[32];
        int length = snprintf(text, sizeof text, "%zu", i);
        PML_ASSERT_OK(pml_names_add(&names, text, (size_t)length, 20000, "names", &i_name, &is_new, &error), &error);
        CU_ASSERT(is_new && i_name == i);
    }
    PML_ASSERT_OK(pml_names_add(&names, "12345", 4, 20000, "names", &i_name, &is_new, &error), &error);
    CU_ASSERT(!is_new && i_name == 1234);
    CU_ASSERT(pml_names_find(&names, "19999x", 5, &i_name) && i_name == 19999);
    CU_ASSERT_FALSE(pml_names_find(&names, "20000", 5, &i_name));
    CU_ASSERT_FALSE(pml_names_find(&names, "", 0, &i_name));
    CU_ASSERT_STRING_EQUAL(pml_names_at(&names, 777), "777");
    PML_ASSERT_FAILS(pml_names_add(&names, "", 0, 20000, "names", &i_name, &is_new, &error), PML_E_FORMAT, &error,
                     "more than 20000 names");
    CU_ASSERT_EQUAL(pml_names_count(&names), 20000);
    pml_names_deinit(&names);
}

static void keeps_empty_and_long_names(void) {
    pml_names names = {0};
    pml_error error;
    size_t i_name, size_bytes = 3000000;
    bool is_new;
    char *text = malloc(size_bytes);
    memset(text, 'x', size_bytes);
    PML_ASSERT_OK(pml_names_add(&names, "", 0, 9, "names", &i_name, &is_new, &error), &error);
    PML_ASSERT_OK(pml_names_add(&names, text, size_bytes, 9, "names", &i_name, &is_new, &error), &error);
    CU_ASSERT(pml_names_find(&names, "", 0, &i_name) && i_name == 0);
    CU_ASSERT(pml_names_find(&names, text, size_bytes, &i_name) && i_name == 1);
    CU_ASSERT_FALSE(pml_names_find(&names, text, size_bytes - 1, &i_name));
    CU_ASSERT_EQUAL(strlen(pml_names_at(&names, 1)), size_bytes);
    free(text);
    pml_names_deinit(&names);
}

static void is_unchanged_when_memory_fails(void) {
    pml_names names = {0};
    pml_error error;
    size_t i_name;
    bool is_new;
    for (size_t i = 0; i < 200; i++) {
        char text[32];
        int length = snprintf(text, sizeof text, "name-%zu", i);
        unsigned long n = 0;
        pml_status status;
        do {
            pml_test_fail_allocation(++n, true);
            status = pml_names_add(&names, text, (size_t)length, 200, "names", &i_name, &is_new, &error);
            pml_test_fail_allocation(0, false);
            CU_ASSERT(status == PML_OK || status == PML_E_MEMORY);
            CU_ASSERT_EQUAL(pml_names_count(&names), status == PML_OK ? i + 1 : i);
        } while (status != PML_OK && n < 10);
        CU_ASSERT(status == PML_OK && is_new && i_name == i);
    }
    pml_names_deinit(&names);
}

static void quotes_what_may_be_hostile(void) {
    static const struct {
        const char *text, *quoted;
    } cases[] = {
        {"", "''"},
        {"encoder.0.weight", "'encoder.0.weight'"},
        {"it's \\", "'it\\'s \\\\'"},
        {"\x1b[31m\n", "'\\x1b[31m\\x0a'"},
        {"\xc2\x9b", "'\\xc2\\x9b'"},
        {"\xc2", "'\\xc2'"},
        {"\xff\x7f", "'\\xff\\x7f'"},
        {"\xe5\x90\x8d", "'\xe5\x90\x8d'"},
        {"a\xe2\x80\xae.", "'a\\xe2\\x80\\xae.'"}, /* U+202E turns what follows around */
    };
    pml_quoted quoted;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_STRING_EQUAL(pml_quote(&quoted, cases[i].text), cases[i].quoted);
    }
    char text[1000];
    for (int byte = 1; byte < 256; byte++) {
        for (size_t length = 150; length < 260; length++) {
            memset(text, byte, length);
            text[length] = '\0';
            size_t size_bytes = strlen(pml_quote(&quoted, text));
            CU_ASSERT(size_bytes < sizeof quoted.text && quoted.text[size_bytes - 1] == '\'');
        }
    }
    for (size_t n_marks = 10; n_marks < 30; n_marks++) {
        for (size_t n_before = 0; n_before < 16; n_before++) {
            memset(text, 'x', n_before);
            for (size_t i = 0; i < n_marks; i++) {
                memcpy(text + n_before + 3 * i, "\xe2\x80\xae", 4);
            }
            size_t size_bytes = strlen(pml_quote(&quoted, text));
            CU_ASSERT(size_bytes < sizeof quoted.text && quoted.text[size_bytes - 1] == '\'');
        }
    }
    memset(text, 'x', sizeof text);
    text[999] = '\0';
    CU_ASSERT_PTR_NOT_NULL(strstr(pml_quote(&quoted, text), "xx...'"));
}

PML_TESTS("runtime/base/names", PML_TEST(finds_what_was_added), PML_TEST(keeps_empty_and_long_names),
          PML_TEST(is_unchanged_when_memory_fails), PML_TEST(quotes_what_may_be_hostile))
