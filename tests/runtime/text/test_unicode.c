/* Every code point against the recorded class and lower-case tables; ill-formed UTF-8. */
#include <stdio.h>
#include <string.h>

#include "runtime/text/unicode.h"
#include "tests/harness.h"

#define N_CODES 0x110000u

static bool is_surrogate(uint32_t code) {
    return code >= 0xd800 && code <= 0xdfff;
}

static void every_class(void) {
    static const char *const names[] = {"word", "removed", "space", "punctuation", "cjk"};
    static uint8_t expected[N_CODES];
    const char *path = pml_test_golden("tokenizers/wordpiece-classes.txt");
    if (path == NULL) {
        pml_test_skip("no recorded class table (PML_GOLDENS)");
        return;
    }
    char line[256], name[32];
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned first, last;
        if (line[0] == '#' || sscanf(line, "%x..%x %31s", &first, &last, name) != 3) {
            continue;
        }
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            if (strcmp(names[k], name) == 0) {
                memset(expected + first, (int)k, last - first + 1);
            }
        }
    }
    fclose(file);
    size_t n_wrong = 0;
    for (uint32_t code = 0; code < N_CODES; code++) {
        n_wrong += !is_surrogate(code) && pml_unicode_class(code) != (pml_char_class)expected[code];
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
}

/* The lower case of what is left without accents, as hexadecimal text. */
static void lower_text(uint32_t code, char *text, size_t n_bytes) {
    uint32_t bases[3], lower[2];
    bool ends_run;
    const size_t n = pml_unicode_strip(code, bases, &ends_run);
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        const size_t m = pml_unicode_lower(bases[i], lower);
        for (size_t k = 0; k < m; k++) {
            used += (size_t)snprintf(text + used, n_bytes - used, "%s%04X", used > 0 ? " " : "", lower[k]);
        }
    }
    if (used == 0) {
        snprintf(text, n_bytes, "-");
    }
}

static void every_lower_case(void) {
    static bool is_listed[N_CODES];
    const char *path = pml_test_golden("tokenizers/wordpiece-lower.txt");
    if (path == NULL) {
        pml_test_skip("no recorded lower-case table (PML_GOLDENS)");
        return;
    }
    char line[256], have[64];
    size_t n_wrong = 0, n = 0;
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#') {
            continue;
        }
        char *end;
        const uint32_t code = (uint32_t)strtoul(line, &end, 16);
        lower_text(code, have, sizeof have);
        n_wrong += strcmp(have, end + 1) != 0;
        is_listed[code] = true;
        n++;
    }
    fclose(file);
    CU_ASSERT_TRUE(n > 2000);
    CU_ASSERT_EQUAL(n_wrong, 0);
    for (uint32_t code = 0; code < N_CODES; code++) {
        const pml_char_class kind = pml_unicode_class(code);
        if (is_surrogate(code) || is_listed[code] || kind == PML_CHAR_SPACE || kind == PML_CHAR_CJK ||
            kind == PML_CHAR_REMOVED || (code >= 0xac00 && code <= 0xd7a3)) {
            continue;
        }
        char same[16];
        lower_text(code, have, sizeof have);
        snprintf(same, sizeof same, "%04X", code);
        n_wrong += strcmp(have, same) != 0;
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
}

static void hangul_falls_apart(void) {
    uint32_t bases[3];
    bool ends_run;
    CU_ASSERT_EQUAL(pml_unicode_strip(0xac00, bases, &ends_run), 2);
    CU_ASSERT_TRUE(bases[0] == 0x1100 && bases[1] == 0x1161);
    CU_ASSERT_EQUAL(pml_unicode_strip(0xd7a3, bases, &ends_run), 3);
    CU_ASSERT_TRUE(bases[0] == 0x1112 && bases[1] == 0x1175 && bases[2] == 0x11c2);
}

static void every_code_point_survives_utf8(void) {
    size_t n_wrong = 0;
    for (uint32_t code = 0; code < N_CODES; code++) {
        uint8_t bytes[4];
        uint32_t again;
        if (!is_surrogate(code)) {
            const size_t length = pml_unicode_encode(code, bytes);
            n_wrong += pml_unicode_decode(bytes, length, &again) != length || again != code;
        }
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
}

static void ill_formed_bytes(void) {
    static const struct {
        const char *bytes;
        size_t size_bytes;
        size_t lengths[4]; /* of the pieces, 0 at the end */
    } cases[] = {{"\xff", 1, {1}},        {"\xc3(", 2, {1}},
                 {"\xe2\x82", 2, {2}},    {"\xf0\x9f\x98", 3, {3}},
                 {"\xf0\x9f", 2, {2}},    {"\xed\xa0\x80", 3, {1, 1, 1}},
                 {"\xc0\xaf", 2, {1, 1}}, {"\xf4\x90\x80\x80", 4, {1, 1, 1, 1}},
                 {"\xe0\x80", 2, {1, 1}}, {"\x80", 1, {1}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t at = 0;
        for (size_t k = 0; k < 4 && cases[i].lengths[k] > 0; k++) {
            uint32_t code;
            const size_t length =
                pml_unicode_decode((const uint8_t *)cases[i].bytes + at, cases[i].size_bytes - at, &code);
            CU_ASSERT_EQUAL(code, PML_REPLACEMENT);
            CU_ASSERT_EQUAL(length, cases[i].lengths[k]);
            at += length;
        }
    }
}

PML_TESTS("runtime/text/unicode", PML_TEST(every_class), PML_TEST(every_lower_case), PML_TEST(hangul_falls_apart),
          PML_TEST(every_code_point_survives_utf8), PML_TEST(ill_formed_bytes))
