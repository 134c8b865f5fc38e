/* Names of foreign files must not drive a terminal. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/cli/printable.h"
#include "tests/harness.h"

static bool gives(const char *text, size_t length, const char *expected) {
    pml_error error = {0};
    char *out = NULL;
    if (!pml_test_ok(pml_printable_copy(text, length, &out, &error), &error, __FILE__, __LINE__)) {
        return false;
    }
    bool equal = strcmp(out, expected) == 0;
    if (!equal) {
        printf("\n    got \"%s\", expected \"%s\"\n", out, expected);
    }
    pml_free(out);
    return equal;
}

#define GIVES(text, expected) CU_ASSERT_TRUE(gives((text), sizeof(text) - 1, (expected)))

static void plain_text_stays(void) {
    GIVES("", "");
    GIVES("model.encoder.layers.0.norm1.weight", "model.encoder.layers.0.norm1.weight");
    GIVES("Gr\xC3\xB6\xC3\x9F"
          "e \xE6\x97\xA5 \xF0\x9F\x98\x80",
          "Gr\xC3\xB6\xC3\x9F"
          "e \xE6\x97\xA5 \xF0\x9F\x98\x80");
}

static void controls_are_escaped(void) {
    GIVES("\x1b[31mred\x1b[0m", "\\x1B[31mred\\x1B[0m");
    GIVES("a\nb\tc\rd\x7f", "a\\nb\\tc\\x0Dd\\x7F");
    GIVES("a\0b", "a\\x00b");
    GIVES("\xC2\x9B"
          "31m",
          "\\u{009B}31m"); /* the one-character form of ESC [ */
    GIVES("\\x1B", "\\\\x1B");
}

static void direction_marks_are_escaped(void) {
    GIVES("a\xE2\x80\xAE"
          "b",
          "a\\u{202E}b");
    GIVES("\xE2\x81\xA6\xE2\x80\xA8\xEF\xBB\xBF", "\\u{2066}\\u{2028}\\u{FEFF}");
}

static void bad_utf8_is_escaped_byte_by_byte(void) {
    GIVES("\xFF\xFE", "\\xFF\\xFE");
    GIVES("\xC0\x80", "\\xC0\\x80");                   /* overlong */
    GIVES("\xED\xA0\x80", "\\xED\\xA0\\x80");          /* surrogate */
    GIVES("\xF4\x90\x80\x80", "\\xF4\\x90\\x80\\x80"); /* beyond U+10FFFF */
    GIVES("x\xE6\x97", "x\\xE6\\x97");                 /* cut */
}

static void stream_form_agrees(void) {
    static const char text[] = "a\x1b[2J\xFF\\\xC3\xA4\n";
    pml_error error = {0};
    char *expected = NULL, written[128] = "";
    PML_ASSERT_OK(pml_printable_copy(text, strlen(text), &expected, &error), &error);
    FILE *stream = fmemopen(written, sizeof written, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    pml_printable_write(stream, text);
    fclose(stream);
    CU_ASSERT_STRING_EQUAL(written, expected);
    pml_free(expected);
    stream = fmemopen(written, sizeof written, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    pml_printable_write_bytes(stream,
                              "a\0\xff"
                              "b\tcd",
                              6);
    fclose(stream);
    CU_ASSERT_STRING_EQUAL(written, "a\\x00\\xFFb\\tc");
}

static void width_counts_characters(void) {
    CU_ASSERT_EQUAL(pml_printable_width(""), 0);
    CU_ASSERT_EQUAL(pml_printable_width("abc"), 3);
    CU_ASSERT_EQUAL(pml_printable_width("Gr\xC3\xB6\xC3\x9F"
                                        "e"),
                    5);
}

static void allocation_failure_is_reported(void) {
    pml_error error = {0};
    char *out = NULL;
    pml_test_fail_allocation(1, false);
    PML_ASSERT_FAILS(pml_printable_copy("abc", 3, &out, &error), PML_E_MEMORY, &error, NULL);
    pml_test_fail_allocation(0, false);
    CU_ASSERT_PTR_NULL(out);
}

PML_TESTS("runtime/cli/printable", PML_TEST(plain_text_stays), PML_TEST(controls_are_escaped),
          PML_TEST(direction_marks_are_escaped), PML_TEST(bad_utf8_is_escaped_byte_by_byte),
          PML_TEST(stream_form_agrees), PML_TEST(width_counts_characters), PML_TEST(allocation_failure_is_reported))
