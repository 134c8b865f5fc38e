#include "tests/harness.h"

#include <string.h>

#include "runtime/base/utf8.h"

static size_t length_of(const char *text) {
    return pml_utf8_length((const uint8_t *)text, strlen(text));
}

static void well_formed_sequences_have_a_code(void) {
    static const struct {
        const char *text;
        size_t length;
        uint32_t code;
    } cases[] = {
        {"A", 1, 'A'},
        {"\x7f", 1, 0x7f},
        {"\xc2\x80", 2, 0x80},
        {"\xdf\xbf", 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 0x800},
        {"\xed\x9f\xbf", 3, 0xd7ff},
        {"\xee\x80\x80", 3, 0xe000},
        {"\xef\xbf\xbf", 3, 0xffff},
        {"\xf0\x90\x80\x80", 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(length_of(cases[i].text), cases[i].length);
        CU_ASSERT_EQUAL(pml_utf8_code((const uint8_t *)cases[i].text, cases[i].length), cases[i].code);
    }
}

static void malformed_sequences_have_no_length(void) {
    static const char *const cases[] = {
        "",
        "\x80",             /* continues nothing */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc2",         /* cut short */
        "\xe2\x82",     /* cut short */
        "\xf0\x9f\x98", /* cut short */
        "\xc2"
        "A",
        "\xe2\x82"
        "A",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(length_of(cases[i]), 0);
    }
}

static void steering_characters(void) {
    static const uint32_t steer[] = {0,      0x1b,   0x1f,   0x7f,   0x80,   0x9f,   0x061c, 0x200e,
                                     0x200f, 0x2028, 0x202a, 0x202e, 0x2066, 0x2069, 0xfeff};
    static const uint32_t shown[] = {0x20, 0x7e, 0xa0, 0x061b, 0x200d, 0x2010, 0x2027, 0x202f, 0x2065, 0x206a, 0x1f600};
    for (size_t i = 0; i < sizeof steer / sizeof steer[0]; i++) {
        CU_ASSERT_TRUE(pml_utf8_steers(steer[i]));
    }
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        CU_ASSERT_FALSE(pml_utf8_steers(shown[i]));
    }
}

PML_TESTS("runtime/base/utf8", PML_TEST(well_formed_sequences_have_a_code),
          PML_TEST(malformed_sequences_have_no_length), PML_TEST(steering_characters))
