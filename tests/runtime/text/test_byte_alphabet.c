/* The 256 characters of byte-level BPE: distinct, printable, and back to their bytes. */
#include "runtime/text/byte_alphabet.h"

#include <string.h>

#include "runtime/text/unicode.h"
#include "tests/harness.h"

static void every_byte_there_and_back(void) {
    bool is_taken[0x144] = {false};
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t text[4], back[4];
        const uint32_t code = pml_byte_alphabet_code((uint8_t)byte);
        CU_ASSERT_TRUE_FATAL(code < 0x144 && !is_taken[code]);
        is_taken[code] = true;
        const size_t n = pml_unicode_encode(code, text);
        CU_ASSERT_EQUAL(pml_byte_alphabet_read((const char *)text, n, back), 1);
        CU_ASSERT_EQUAL(back[0], byte);
    }
    CU_ASSERT_EQUAL(pml_byte_alphabet_code('!'), '!');
    CU_ASSERT_EQUAL(pml_byte_alphabet_code(' '), 0x120);
    CU_ASSERT_EQUAL(pml_byte_alphabet_code('\n'), 0x10a);
    CU_ASSERT_EQUAL(pml_byte_alphabet_code(0x7f), 0x121);
    CU_ASSERT_EQUAL(pml_byte_alphabet_code(0xa0), 0x142);
    CU_ASSERT_EQUAL(pml_byte_alphabet_code(0xad), 0x143);
    CU_ASSERT_EQUAL(pml_byte_alphabet_code(0xae), 0xae);
}

static void other_text_is_itself(void) {
    static const char *const texts[] = {"a b", "\xe4\xb8\xad", "\xc4\xa0\xe4\xb8\xad", "\xc5\x84", "\xc2\xad", "\xff"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint8_t bytes[16];
        CU_ASSERT_EQUAL(pml_byte_alphabet_read(texts[i], strlen(texts[i]), bytes), strlen(texts[i]));
        CU_ASSERT_EQUAL(memcmp(bytes, texts[i], strlen(texts[i])), 0);
    }
    uint8_t bytes[16];
    CU_ASSERT_EQUAL(pml_byte_alphabet_read("\xc4\xa0the", 5, bytes), 4);
    CU_ASSERT_EQUAL(memcmp(bytes, " the", 4), 0);
}

PML_TESTS("runtime/text/byte_alphabet", PML_TEST(every_byte_there_and_back), PML_TEST(other_text_is_itself))
