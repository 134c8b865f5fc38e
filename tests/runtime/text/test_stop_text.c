/* Texts in pieces of every size end before the first stop, and nothing is held back longer than it must be. */
#include "runtime/text/stop_text.h"

#include <string.h>

#include "tests/harness.h"

static void ends_before_the_first_stop(void) {
    static const struct {
        const char *text, *stops[3], *expected;
        bool is_stopped;
    } rows[] = {{"one two three", {"two"}, "one ", true},
                {"one two three", {"three", "two"}, "one ", true},
                {"one two three", {"four"}, "one two three", false},
                {"one two thr", {"three"}, "one two ", false}, /* the beginning of a stop waits */
                {"aab", {"ab"}, "a", true},
                {"ababac", {"abac"}, "ab", true},
                {"abc", {"abcx", "bc"}, "a", true},
                {"abcx", {"abcx", "x"}, "", true},
                {"abc", {""}, "abc", false},
                {"stop", {"stop"}, "", true},
                {"a\n\nb", {"\n\n"}, "a", true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const size_t n_text = strlen(rows[i].text);
        size_t n_stops = 0;
        while (n_stops < 3 && rows[i].stops[n_stops] != NULL) {
            n_stops++;
        }
        for (size_t piece = 1; piece <= n_text; piece++) {
            pml_stop_text text = {.stops = rows[i].stops, .n_stops = n_stops};
            char taken[64];
            size_t n_taken = 0, n_ready;
            pml_error error;
            for (size_t at = 0; at < n_text; at += piece) {
                const size_t n = n_text - at < piece ? n_text - at : piece;
                PML_ASSERT_OK(pml_stop_text_put(&text, rows[i].text + at, n, &n_ready, &error), &error);
                CU_ASSERT_TRUE_FATAL(n_ready <= text.n_held);
                memcpy(taken + n_taken, text.held, n_ready);
                n_taken += n_ready;
                pml_stop_text_take(&text, n_ready);
            }
            CU_ASSERT_EQUAL(text.is_stopped, rows[i].is_stopped);
            CU_ASSERT_TRUE(n_taken == strlen(rows[i].expected) && memcmp(taken, rows[i].expected, n_taken) == 0);
            pml_stop_text_deinit(&text);
        }
    }
}

static void allocations_that_fail(void) {
    static const char *const stops[] = {"x"};
    pml_stop_text text = {.stops = stops, .n_stops = 1};
    pml_error error;
    size_t n_ready;
    pml_test_fail_allocation(1, true);
    CU_ASSERT_EQUAL(pml_stop_text_put(&text, "abc", 3, &n_ready, &error), PML_E_MEMORY);
    pml_test_fail_allocation(0, false);
    PML_ASSERT_OK(pml_stop_text_put(&text, "abc", 3, &n_ready, &error), &error);
    CU_ASSERT_EQUAL(n_ready, 3);
    pml_stop_text_deinit(&text);
}

PML_TESTS("runtime/text/stop_text", PML_TEST(ends_before_the_first_stop), PML_TEST(allocations_that_fail))
