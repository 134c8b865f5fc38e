#include "tests/harness.h"

#include <string.h>

#include "runtime/base/error.h"

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

static void cuts_long_messages(void) {
    pml_error error = {0};
    char longest[3000];
    memset(longest, 'm', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    (void)PML_FAIL(&error, PML_E_IO, "%s", longest);
    CU_ASSERT_EQUAL(strlen(error.message), sizeof error.message - 1);
    (void)pml_error_prefix(&error, PML_E_IO, "%s", longest);
    CU_ASSERT_EQUAL(strlen(error.message), sizeof error.message - 1);
    (void)PML_FAIL(&error, PML_E_IO, "short");
    (void)pml_error_prefix(&error, PML_E_IO, "%s", longest);
    CU_ASSERT_EQUAL(strlen(error.message), sizeof error.message - 1);
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
    for (int i = PML_OK; i <= PML_E_INTERRUPTED; i++) {
        CU_ASSERT_STRING_NOT_EQUAL(pml_status_name((pml_status)i), "unknown");
    }
    CU_ASSERT_STRING_EQUAL(pml_status_name((pml_status)99), "unknown");
}

PML_TESTS("runtime/base/error", PML_TEST(carries_code_place_and_message), PML_TEST(prefixes),
          PML_TEST(cuts_long_messages), PML_TEST(try_stops_at_the_first_failure), PML_TEST(every_status_has_a_name))
