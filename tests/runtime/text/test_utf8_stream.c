/* Bytes in pieces of every size give the text that they give at once; what can be no character is U+FFFD. */
#include "runtime/text/utf8_stream.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/utf8.h"
#include "runtime/text/unicode.h"
#include "tests/harness.h"

#define FFFD "\xef\xbf\xbd"

/* `bytes` in pieces of `piece` bytes, and their end. */
static size_t stream(const char *bytes, size_t size_bytes, size_t piece, char *text) {
    pml_utf8_stream s = {0};
    size_t n = 0;
    for (size_t at = 0; at < size_bytes; at += piece) {
        const size_t length = size_bytes - at < piece ? size_bytes - at : piece;
        n += pml_utf8_stream_put(&s, (const uint8_t *)bytes + at, length, text + n);
        for (size_t i = 0; i < n;) { /* valid at any time */
            const size_t one = pml_utf8_length((const uint8_t *)text + i, n - i);
            CU_ASSERT_TRUE_FATAL(one > 0);
            i += one;
        }
    }
    return n + pml_utf8_stream_end(&s, text + n);
}

static void known_texts(void) {
    static const struct {
        const char *bytes, *text;
    } rows[] = {{"", ""},
                {"plain", "plain"},
                {"\xe4\xb8\xad\xf0\x9f\x98\x80\xc3\xa9", "\xe4\xb8\xad\xf0\x9f\x98\x80\xc3\xa9"},
                {"\xe4\xb8", FFFD},
                {"\xf0\x9f\x98", FFFD},
                {"\xf0\x9f\x98x", FFFD "x"},
                {"\xf0\x9f\xf0\x9f\x98\x80", FFFD "\xf0\x9f\x98\x80"},
                {"\xff\xfe", FFFD FFFD},
                {"\x80\xbf", FFFD FFFD},
                {"\xc0\xaf", FFFD FFFD},
                {"\xed\xa0\x80", FFFD FFFD FFFD},
                {"\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD},
                {"\xe0\x80\xaf", FFFD FFFD FFFD}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t piece = 1; piece <= 5; piece++) {
            char text[64];
            const size_t n = stream(rows[i].bytes, strlen(rows[i].bytes), piece, text);
            CU_ASSERT_TRUE(n == strlen(rows[i].text) && memcmp(text, rows[i].text, n) == 0);
        }
    }
}

static void a_character_waits_for_its_end(void) {
    pml_utf8_stream s = {0};
    char text[64];
    CU_ASSERT_EQUAL(pml_utf8_stream_put(&s, (const uint8_t *)"a\xf0\x9f", 3, text), 1);
    CU_ASSERT_EQUAL(s.n_waiting, 2);
    CU_ASSERT_EQUAL(pml_utf8_stream_put(&s, (const uint8_t *)"\x98", 1, text), 0);
    CU_ASSERT_EQUAL(pml_utf8_stream_put(&s, (const uint8_t *)"\x80z", 2, text), 5);
    CU_ASSERT_EQUAL(memcmp(text, "\xf0\x9f\x98\x80z", 5), 0);
    CU_ASSERT_EQUAL(pml_utf8_stream_end(&s, text), 0);
}

/* Any bytes, whole and in pieces. */
static void random_bytes(void) {
    static const uint8_t likely[] = {'a', 0x80, 0xbf, 0xc3, 0xe0, 0xa0, 0xed, 0x9f, 0xf0, 0x90, 0xf4, 0x8f, 0xff};
    uint32_t state = 1;
    for (unsigned round = 0; round < 3000; round++) {
        char bytes[24], whole[PML_UTF8_STREAM_ROOM(sizeof bytes)], text[PML_UTF8_STREAM_ROOM(sizeof bytes)];
        size_t n_expected = 0;
        for (size_t i = 0; i < sizeof bytes; i++) {
            state = state * 1664525u + 1013904223u;
            bytes[i] = (char)likely[(state >> 16) % sizeof likely];
        }
        for (size_t at = 0; at < sizeof bytes;) {
            uint32_t code;
            at += pml_unicode_decode((const uint8_t *)bytes + at, sizeof bytes - at, &code);
            n_expected += pml_unicode_encode(code, (uint8_t *)whole + n_expected);
        }
        for (size_t piece = 1; piece <= sizeof bytes; piece++) {
            const size_t n = stream(bytes, sizeof bytes, piece, text);
            CU_ASSERT_TRUE_FATAL(n == n_expected && memcmp(text, whole, n) == 0);
        }
    }
}

PML_TESTS("runtime/text/utf8_stream", PML_TEST(known_texts), PML_TEST(a_character_waits_for_its_end),
          PML_TEST(random_bytes))
