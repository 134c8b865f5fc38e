#include "tests/harness.h"

#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/utf8.h"

static void carries_code_place_and_message(void) {
    pml_error error = {0};
    CU_ASSERT_EQUAL(PML_FAIL_AT(&error, PML_E_FORMAT, 42, "file %s", "x"), PML_E_FORMAT);
    CU_ASSERT(error.code == PML_E_FORMAT && error.offset_bytes == 42 && error.source_line > 0);
    CU_ASSERT_STRING_EQUAL(error.message, "file x");
    CU_ASSERT_PTR_NOT_NULL(strstr(error.source_file, "test_error.c"));
    CU_ASSERT_EQUAL(PML_FAIL(&error, PML_E_IO, "y"), PML_E_IO);
    CU_ASSERT_EQUAL(error.offset_bytes, PML_NO_OFFSET);
    CU_ASSERT_EQUAL(PML_FAIL(NULL, PML_E_MEMORY, "nobody listens"), PML_E_MEMORY);
}

static void prefixes(void) {
    pml_error error = {0};
    CU_ASSERT_EQUAL(pml_error_prefix(&error, PML_FAIL(&error, PML_E_CONFIG, "cause"), "tensor '%s'", "w"),
                    PML_E_CONFIG);
    CU_ASSERT_STRING_EQUAL(error.message, "tensor 'w': cause");
    CU_ASSERT_EQUAL(pml_error_prefix(NULL, PML_E_CONFIG, "x"), PML_E_CONFIG);
    /* A message may quote the one before it. */
    (void)PML_FAIL(&error, PML_E_CONFIG, "again: %s", error.message);
    CU_ASSERT_STRING_EQUAL(error.message, "again: tensor 'w': cause");
}

/* What is too long loses its middle: the file stands at the start, the cause at the end. */
static void cuts_long_messages(void) {
    pml_error error = {0};
    char longest[20000];
    memset(longest, 'm', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    for (size_t n = sizeof error.message - 40; n < sizeof error.message + 40; n++) {
        (void)PML_FAIL(&error, PML_E_IO, "/begin/%.*s: cause", (int)n, longest);
        size_t whole_bytes = 7 + n + 7, most_bytes = sizeof error.message - 1;
        CU_ASSERT_EQUAL(strlen(error.message), whole_bytes < most_bytes ? whole_bytes : most_bytes);
        CU_ASSERT(strncmp(error.message, "/begin/m", 8) == 0);
        CU_ASSERT_STRING_EQUAL(error.message + strlen(error.message) - 8, "m: cause");
        CU_ASSERT_EQUAL(strstr(error.message, "m...m") != NULL, whole_bytes > most_bytes);
    }
    (void)PML_FAIL(&error, PML_E_IO, "%s", longest);
    CU_ASSERT_EQUAL(strlen(error.message), sizeof error.message - 1);
    (void)pml_error_prefix(&error, PML_E_IO, "%s", longest);
    CU_ASSERT_EQUAL(strlen(error.message), sizeof error.message - 1);
    (void)PML_FAIL(&error, PML_E_IO, "short");
    (void)pml_error_prefix(&error, PML_E_IO, "%s", longest);
    CU_ASSERT_EQUAL(strlen(error.message), sizeof error.message - 1);
    CU_ASSERT_STRING_EQUAL(error.message + strlen(error.message) - 8, "m: short");
    /* No character is cut in two. */
    for (size_t i = 0; i + 2 < sizeof longest; i += 2) {
        memcpy(longest + i, "\xc3\xa4", 3);
    }
    for (int shift = 0; shift < 4; shift++) {
        (void)PML_FAIL(&error, PML_E_IO, "%.*s%s", shift, "abc", longest + 14000);
        const uint8_t *bytes = (const uint8_t *)error.message;
        for (size_t left = strlen(error.message); left > 0;) {
            size_t length = pml_utf8_length(bytes, left);
            CU_ASSERT_FATAL(length > 0);
            bytes += length;
            left -= length;
        }
    }
}

static pml_status runs_to(int n, int *reached) {
    pml_status status;
    for (*reached = 0; *reached < 3; ++*reached) {
        PML_TRY(*reached == n ? PML_E_NUMERIC : PML_OK);
    }
    status = PML_OK;
done:
    return status;
}

static void try_stops_at_the_first_failure(void) {
    int reached = 0;
    CU_ASSERT(runs_to(1, &reached) == PML_E_NUMERIC && reached == 1);
    CU_ASSERT(runs_to(9, &reached) == PML_OK && reached == 3);
}

static void every_status_has_a_name(void) {
    for (int i = PML_OK; i <= PML_E_DENIED; i++) {
        CU_ASSERT_STRING_NOT_EQUAL(pml_status_name((pml_status)i), "unknown");
    }
    CU_ASSERT_STRING_EQUAL(pml_status_name((pml_status)99), "unknown");
}

PML_TESTS("runtime/base/error", PML_TEST(carries_code_place_and_message), PML_TEST(prefixes),
          PML_TEST(cuts_long_messages), PML_TEST(try_stops_at_the_first_failure), PML_TEST(every_status_has_a_name))
