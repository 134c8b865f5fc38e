/* The strict JSON reader: grammar, numbers, UTF-8, depth, caps, duplicates, whatever the locale is. */
#include "runtime/base/json_reader.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/harness.h"

enum { CAP = 1 << 20 };

/* From an allocation of the exact size, so that a sanitizer sees a byte read too many. */
static pml_status check(const void *text, size_t size_bytes, pml_error *error) {
    char *copy = malloc(size_bytes > 0 ? size_bytes : 1);
    memcpy(copy, text, size_bytes);
    pml_status status = pml_json_validate(copy, size_bytes, "x.json", CAP, error);
    free(copy);
    return status;
}

static void accepts_valid_documents(void) {
    static const char *const documents[] = {
        "{}",
        "[]",
        "\"\"",
        "0",
        "-0",
        "true",
        "false",
        "null",
        " \t\r\n1 \t\r\n",
        "[[],[[]],{}]",
        "{\"\":{\"\":{}}}",
        "{\"a\":1,\"b\":{\"a\":1},\"c\":[{\"a\":1},{\"a\":1}]}",
        "[1,-1,0.5,-0.25,1e3,1E+3,1e-3,1.5e10,123456789012345678901234567890]",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e4\\ud83d\\ude00\"",
        "\"\xc2\x80\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
        "1e-999",
        "\"\x7f\"",
        "{\"A\":1,\"a\":2}",
    };
    pml_error error;
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        PML_ASSERT_OK(check(documents[i], strlen(documents[i]), &error), &error);
    }
}

static void rejects_invalid_documents(void) {
    static const struct {
        const char *text, *cause;
    } documents[] = {
        {"", "the text ends"},
        {" ", "the text ends"},
        {"{", "a key"},
        {"[", "the text ends"},
        {"[1", "',' or ']'"},
        {"{\"a\"", "':'"},
        {"{\"a\":", "the text ends"},
        {"{\"a\":1", "',' or '}'"},
        {"{\"a\":1,", "a key"},
        {"[1,]", "no JSON value"},
        {"{\"a\":1,}", "a key"},
        {"[,1]", "no JSON value"},
        {"{,}", "a key"},
        {"[1 2]", "',' or ']'"},
        {"{\"a\" 1}", "':'"},
        {"{\"a\":1 \"b\":2}", "',' or '}'"},
        {"{1:2}", "a key"},
        {"{a:1}", "a key"},
        {"{'a':1}", "a key"},
        {"[}", "no JSON value"},
        {"{]", "a key"},
        {"[1}", "',' or ']'"},
        {"{\"a\":1]", "',' or '}'"},
        {"]", "no JSON value"},
        {"}", "no JSON value"},
        {"1 2", "text after"},
        {"{}{}", "text after"},
        {"[]]", "text after"},
        {"nul", "no JSON value"},
        {"nulll", "text after"},
        {"True", "no JSON value"},
        {"NaN", "no JSON value"},
        {"Infinity", "no JSON value"},
        {"-Infinity", "a digit here"},
        {"undefined", "no JSON value"},
        {"01", "text after"},
        {"-01", "text after"},
        {"00", "text after"},
        {"1.", "after its point"},
        {".5", "no JSON value"},
        {"-", "a digit here"},
        {"+1", "no JSON value"},
        {"1e", "exponent"},
        {"1e+", "exponent"},
        {"1.e3", "after its point"},
        {"0x10", "text after"},
        {"1_000", "text after"},
        {"1e999", "too large"},
        {"-1e999", "too large"},
        {"--1", "a digit here"},
        {"1.5.5", "text after"},
        {"- 1", "a digit here"},
        {"\"", "ends inside a string"},
        {"\"a", "ends inside a string"},
        {"\"\\", "ends inside a string"},
        {"\"\\\"", "ends inside a string"},
        {"\"\\x41\"", "unknown escape"},
        {"\"\\u\"", "hexadecimal"},
        {"\"\\u12\"", "hexadecimal"},
        {"\"\\u123g\"", "hexadecimal"},
        {"\"\\u0000\"", "\\u0000"},
        {"\"\\ud800\"", "high surrogate"},
        {"\"\\ud800x\"", "high surrogate"},
        {"\"\\ud800\\n\"", "high surrogate"},
        {"\"\\ud800\\ud800\"", "high surrogate"},
        {"\"\\udc00\"", "low surrogate"},
        {"\"\\ud800\\u\"", "high surrogate"},
        {"\"\n\"", "control"},
        {"\"\t\"", "control"},
        {"\"\x1f\"", "control"},
        {"\"\x80\"", "UTF-8"},
        {"\"\xc0\x80\"", "UTF-8"},
        {"\"\xc1\xbf\"", "UTF-8"},
        {"\"\xc2\"", "UTF-8"},
        {"\"\xe0\x9f\xbf\"", "UTF-8"},
        {"\"\xed\xa0\x80\"", "UTF-8"},
        {"\"\xf0\x8f\xbf\xbf\"", "UTF-8"},
        {"\"\xf4\x90\x80\x80\"", "UTF-8"},
        {"\"\xf5\x80\x80\x80\"", "UTF-8"},
        {"\"\xe2\x82", "UTF-8"},
        {"\"\xff\"", "UTF-8"},
        {"\xef\xbb\xbf{}", "no JSON value"},
        {"\f1", "no JSON value"},
        {"\v1", "no JSON value"},
        {"//x\n1", "no JSON value"},
        {"\xc2\xa0"
         "1",
         "no JSON value"},
        {"{\"a\":1,\"a\":2}", "stands twice"},
        {"{\"a\":1,\"\\u0061\":2}", "stands twice"},
        {"{\"\":1,\"\":2}", "stands twice"},
        {"[{\"x\":{},\"y\":{},\"x\":1}]", "stands twice"},
        {"{\"a\":{\"b\":1},\"c\":{\"b\":1,\"b\":2}}", "stands twice"},
        {"{\"a\":{\"a\":1},\"b\":2,\"a\":3}", "stands twice"},
    };
    pml_error error;
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        PML_ASSERT_FAILS(check(documents[i].text, strlen(documents[i].text), &error), PML_E_FORMAT, &error,
                         documents[i].cause);
    }
    PML_ASSERT_FAILS(check("\"a\0b\"", 5, &error), PML_E_FORMAT, &error, "control");
    PML_ASSERT_FAILS(check("1\0", 2, &error), PML_E_FORMAT, &error, "text after");
    PML_ASSERT_FAILS(check("{}", 2, NULL) == PML_OK ? check("{", 1, NULL) : PML_OK, PML_E_FORMAT, NULL, NULL);
}

static void locates_errors(void) {
    pml_error error;
    PML_ASSERT_FAILS(check("{\n  \"a\": 1,\n  \"b\": x\n}", 23, &error), PML_E_FORMAT, &error, "x.json:3:8: ");
    CU_ASSERT_EQUAL(error.offset_bytes, 19);
    pml_json_reader reader;
    pml_json_reader_init(&reader, "[1,x]", 5, 8, "x.bin", CAP);
    PML_ASSERT_OK(pml_json_next(&reader, &error), &error);
    PML_ASSERT_OK(pml_json_next(&reader, &error), &error);
    PML_ASSERT_FAILS(pml_json_next(&reader, &error), PML_E_FORMAT, &error, "x.bin: byte 11: ");
    CU_ASSERT_EQUAL(error.offset_bytes, 11);
    pml_json_reader_deinit(&reader);
}

static void every_prefix_is_incomplete(void) {
    static const char text[] = "{\"k\\u00e4\\ud83d\\ude00\":[-1.5e+3,true,false,null,\"s\\n\",{\"\":[]}],\"z\":{}}";
    pml_error error;
    for (size_t length = 0; length < sizeof text - 1; length++) {
        PML_ASSERT_FAILS(check(text, length, &error), PML_E_FORMAT, &error, "x.json:1:");
    }
    PML_ASSERT_OK(check(text, sizeof text - 1, &error), &error);
}

static void reads_one_number(const char *text, double value, bool is_u64, uint64_t u64, bool is_i64, int64_t i64) {
    pml_error error;
    pml_json_reader reader;
    pml_json_reader_init(&reader, text, strlen(text), 0, "n", 64);
    PML_ASSERT_OK(pml_json_next(&reader, &error), &error);
    CU_ASSERT_EQUAL(reader.token, PML_JSON_NUMBER);
    CU_ASSERT(reader.number == value && !signbit(reader.number) == !signbit(value));
    CU_ASSERT_EQUAL(reader.is_u64, is_u64);
    CU_ASSERT_EQUAL(reader.is_i64, is_i64);
    CU_ASSERT(!is_u64 || reader.u64 == u64);
    CU_ASSERT(!is_i64 || reader.i64 == i64);
    CU_ASSERT_STRING_EQUAL(reader.text, text);
    PML_ASSERT_OK(pml_json_next(&reader, &error), &error);
    CU_ASSERT_EQUAL(reader.token, PML_JSON_END);
    pml_json_reader_deinit(&reader);
}

static void reads_numbers(void) {
    reads_one_number("0", 0.0, true, 0, true, 0);
    reads_one_number("-0", -0.0, false, 0, true, 0);
    reads_one_number("7", 7.0, true, 7, true, 7);
    reads_one_number("-7", -7.0, false, 0, true, -7);
    reads_one_number("1.0", 1.0, false, 0, false, 0);
    reads_one_number("1e3", 1000.0, false, 0, false, 0);
    reads_one_number("0.1", 0.1, false, 0, false, 0);
    reads_one_number("4.9e-324", 4.9e-324, false, 0, false, 0);
    reads_one_number("1.7976931348623157e308", 1.7976931348623157e308, false, 0, false, 0);
    reads_one_number("9007199254740993", 9007199254740992.0, true, 9007199254740993u, true, 9007199254740993);
    reads_one_number("9223372036854775807", 0x1p63, true, INT64_MAX, true, INT64_MAX);
    reads_one_number("9223372036854775808", 0x1p63, true, UINT64_C(1) << 63, false, 0);
    reads_one_number("-9223372036854775808", -0x1p63, false, 0, true, INT64_MIN);
    reads_one_number("-9223372036854775809", -0x1p63, false, 0, false, 0);
    reads_one_number("18446744073709551615", 0x1p64, true, UINT64_MAX, false, 0);
    reads_one_number("18446744073709551616", 0x1p64, false, 0, false, 0);
}

static void ignores_the_locale(void) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    const char *set = NULL;
    for (size_t i = 0; set == NULL && i < sizeof names / sizeof names[0]; i++) {
        set = setlocale(LC_ALL, names[i]);
    }
    if (set == NULL) {
        pml_test_skip("no locale with a decimal comma is installed");
        return;
    }
    reads_one_number("1.5", 1.5, false, 0, false, 0);
    (void)setlocale(LC_ALL, "C");
}

static void decodes_strings(void) {
    static const char text[] = "{\"k\\u00e4\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u20AC\\ud83d\\ude00\xc3\xa4\"}";
    pml_error error;
    pml_json_reader reader;
    pml_json_reader_init(&reader, text, sizeof text - 1, 0, "s", 64);
    PML_ASSERT_OK(pml_json_expect(&reader, PML_JSON_OBJECT_BEGIN, "an object", &error), &error);
    PML_ASSERT_OK(pml_json_expect(&reader, PML_JSON_KEY, "a key", &error), &error);
    CU_ASSERT_STRING_EQUAL(reader.text, "k\xc3\xa4");
    CU_ASSERT_EQUAL(reader.text_bytes, 3);
    PML_ASSERT_OK(pml_json_expect(&reader, PML_JSON_STRING, "a string", &error), &error);
    CU_ASSERT_STRING_EQUAL(reader.text, "\"\\/\b\f\n\r\t\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa4");
    CU_ASSERT_EQUAL(reader.text_bytes, strlen(reader.text));
    PML_ASSERT_OK(pml_json_expect(&reader, PML_JSON_OBJECT_END, "the end", &error), &error);
    PML_ASSERT_FAILS(pml_json_expect(&reader, PML_JSON_STRING, "a string", &error), PML_E_FORMAT, &error,
                     "expected a string");
    pml_json_reader_deinit(&reader);
}

static void skips_values(void) {
    static const char text[] = "{\"a\":{\"b\":[1,{\"c\":[]}]},\"d\":2,\"e\":[[3]]}";
    pml_error error;
    pml_json_reader reader;
    pml_json_reader_init(&reader, text, sizeof text - 1, 0, "s", 64);
    PML_ASSERT_OK(pml_json_next(&reader, &error), &error);
    for (const char *key = "ade"; *key != '\0'; key++) {
        PML_ASSERT_OK(pml_json_next(&reader, &error), &error);
        CU_ASSERT_EQUAL(reader.text[0], *key);
        if (*key == 'e') {
            PML_ASSERT_OK(pml_json_next(&reader, &error), &error);
            CU_ASSERT_EQUAL(reader.token, PML_JSON_ARRAY_BEGIN);
        }
        PML_ASSERT_OK(pml_json_skip(&reader, &error), &error);
    }
    PML_ASSERT_OK(pml_json_next(&reader, &error), &error);
    CU_ASSERT_EQUAL(reader.token, PML_JSON_OBJECT_END);
    PML_ASSERT_OK(pml_json_next(&reader, &error), &error);
    CU_ASSERT_EQUAL(reader.token, PML_JSON_END);
    pml_json_reader_deinit(&reader);
}

static void limits_depth(void) {
    char text[2 * PML_MAX_JSON_DEPTH + 2];
    pml_error error;
    memset(text, '[', PML_MAX_JSON_DEPTH);
    memset(text + PML_MAX_JSON_DEPTH, ']', PML_MAX_JSON_DEPTH);
    PML_ASSERT_OK(check(text, 2 * (size_t)PML_MAX_JSON_DEPTH, &error), &error);
    memset(text, '[', PML_MAX_JSON_DEPTH + 1);
    PML_ASSERT_FAILS(check(text, PML_MAX_JSON_DEPTH + 1, &error), PML_E_FORMAT, &error, "nested too deep");
    size_t many = 1000000;
    char *deep = malloc(many);
    memset(deep, '[', many);
    PML_ASSERT_FAILS(check(deep, many, &error), PML_E_FORMAT, &error, "nested too deep");
    for (size_t i = 0; i < many; i++) {
        deep[i] = "{\"\":"[i % 4];
    }
    PML_ASSERT_FAILS(check(deep, many, &error), PML_E_FORMAT, &error, "nested too deep");
    free(deep);
}

static void caps_strings_and_numbers(void) {
    pml_error error;
    char text[2048];
    memset(text, 'a', sizeof text);
    text[0] = text[65] = '"';
    CU_ASSERT_EQUAL(pml_json_validate(text, 66, "x", 64, &error), PML_OK);
    PML_ASSERT_FAILS(pml_json_validate(text, 66, "x", 63, &error), PML_E_FORMAT, &error, "too long");
    memcpy(text, "\"\\u0041\\u0041\"", 14);
    CU_ASSERT_EQUAL(pml_json_validate(text, 14, "x", 2, &error), PML_OK);
    PML_ASSERT_FAILS(pml_json_validate(text, 14, "x", 1, &error), PML_E_FORMAT, &error, "too long");
    memset(text, '1', sizeof text);
    memcpy(text, "0.", 2);
    PML_ASSERT_OK(check(text, 1024, &error), &error);
    PML_ASSERT_FAILS(check(text, 1025, &error), PML_E_FORMAT, &error, "1024 characters");
}

static void many_keys_in_linear_time(void) {
    size_t n_keys = 300000, used = 0;
    char *text = malloc(n_keys * 16 + 16);
    text[used++] = '{';
    for (size_t i = 0; i < n_keys; i++) {
        used += (size_t)sprintf(text + used, "%s\"%zx\":0", i == 0 ? "" : ",", i);
    }
    text[used++] = '}';
    pml_error error;
    PML_ASSERT_OK(check(text, used, &error), &error);
    used--;
    used += (size_t)sprintf(text + used, ",\"0\":0}");
    PML_ASSERT_FAILS(check(text, used, &error), PML_E_FORMAT, &error, "'0' stands twice");
    free(text);
}

static void survives_failing_allocations(void) {
    static const char text[] = "{\"abcdefghijklmnopqrstuvwxyz\":[1,\"x\"],\"b\":{\"c\":\"0123456789\"}}";
    for (int persistently = 0; persistently < 2; persistently++) {
        unsigned long n = 1;
        pml_status status = PML_E_MEMORY;
        while (status != PML_OK && n < 1000) {
            pml_error error;
            pml_test_fail_allocation(n, persistently);
            status = pml_json_validate(text, sizeof text - 1, "x", 64, &error);
            pml_test_fail_allocation(0, false);
            CU_ASSERT(status == PML_OK || (status == PML_E_MEMORY && error.code == PML_E_MEMORY));
            n++;
        }
        CU_ASSERT(n > 3 && n < 1000);
    }
}

PML_TESTS("runtime/base/json_reader", PML_TEST(accepts_valid_documents), PML_TEST(rejects_invalid_documents),
          PML_TEST(locates_errors), PML_TEST(every_prefix_is_incomplete), PML_TEST(reads_numbers),
          PML_TEST(ignores_the_locale), PML_TEST(decodes_strings), PML_TEST(skips_values), PML_TEST(limits_depth),
          PML_TEST(caps_strings_and_numbers), PML_TEST(many_keys_in_linear_time),
          PML_TEST(survives_failing_allocations))
