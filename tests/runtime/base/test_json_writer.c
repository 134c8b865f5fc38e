#include "runtime/base/json_writer.h"

#include <math.h>
#include <string.h>

#include "runtime/base/json_reader.h"
#include "tests/harness.h"

typedef struct page { /* a JSON document being written to memory */
    char *text;
    size_t size_bytes;
    FILE *stream;
    pml_json_writer w;
} page;

static void page_open(page *p, bool pretty) {
    p->stream = open_memstream(&p->text, &p->size_bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p->stream);
    pml_json_writer_init(&p->w, p->stream, pretty);
}

/* Ends the document, checks it with the strict reader, compares. */
static void page_close(page *p, const char *expected) {
    pml_error error = {0};
    PML_ASSERT_OK(pml_json_finish(&p->w, &error), &error);
    (void)fclose(p->stream);
    PML_ASSERT_OK(pml_json_validate(p->text, p->size_bytes, "written", 4096, &error), &error);
    if (expected != NULL) {
        CU_ASSERT_STRING_EQUAL(p->text, expected);
    }
    free(p->text);
}

static void nests_and_separates(void) {
    page p;
    page_open(&p, false);
    pml_json_begin_object(&p.w, NULL);
    pml_json_begin_array(&p.w, "empty");
    pml_json_end_array(&p.w);
    pml_json_begin_object(&p.w, "none");
    pml_json_end_object(&p.w);
    pml_json_begin_array(&p.w, "rows");
    for (int i = 0; i < 2; i++) {
        pml_json_begin_array(&p.w, NULL);
        pml_json_i64(&p.w, NULL, -i);
        pml_json_u64(&p.w, NULL, UINT64_MAX);
        pml_json_end_array(&p.w);
    }
    pml_json_end_array(&p.w);
    pml_json_bool(&p.w, "yes", true);
    pml_json_null(&p.w, "nothing");
    pml_json_string(&p.w, "text", "x");
    pml_json_end_object(&p.w);
    page_close(&p, "{\"empty\":[],\"none\":{},\"rows\":[[0,18446744073709551615],[-1,18446744073709551615]],"
                   "\"yes\":true,\"nothing\":null,\"text\":\"x\"}\n");
}

static void indents_when_asked(void) {
    page p;
    page_open(&p, true);
    pml_json_begin_object(&p.w, NULL);
    pml_json_u64(&p.w, "a", 1);
    pml_json_begin_array(&p.w, "b");
    pml_json_u64(&p.w, NULL, 2);
    pml_json_end_array(&p.w);
    pml_json_begin_array(&p.w, "c");
    pml_json_end_array(&p.w);
    pml_json_end_object(&p.w);
    page_close(&p, "{\n  \"a\": 1,\n  \"b\": [\n    2\n  ],\n  \"c\": []\n}\n");
}

static void escapes_text(void) {
    page p;
    page_open(&p, false);
    pml_json_begin_array(&p.w, NULL);
    pml_json_string(&p.w, NULL, "quote \" back \\ line\n tab\t bell\a escape\x1b del\x7f");
    pml_json_string(&p.w, NULL, "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    pml_json_string(&p.w, NULL, NULL);
    pml_json_end_array(&p.w);
    page_close(&p, "[\"quote \\\" back \\\\ line\\n tab\\t bell\\u0007 escape\\u001b del\\u007f\","
                   "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\",null]\n");
}

static void replaces_what_is_not_utf8(void) {
    /* Lone continuation, overlong, surrogate, beyond U+10FFFF, cut short at the end, Latin-1. */
    static const char *const bad[] = {"\x80",         "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                      "\xF0\x9F\x98", "\xE2\x82", "\xFF",         "caf\xE9"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        page p;
        page_open(&p, false);
        pml_json_string(&p.w, NULL, bad[i]);
        CU_ASSERT_EQUAL(fflush(p.stream), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(p.text, "\xEF\xBF\xBD"));
        page_close(&p, NULL);
    }
}

static void numbers_read_back_equal(void) {
    static const double values[] = {0,
                                    -0.0,
                                    1,
                                    -1.5,
                                    0.1,
                                    1.0 / 3,
                                    1e300,
                                    5e-324,
                                    2.2250738585072014e-308,
                                    1.7976931348623157e308,
                                    123456789012345680.0,
                                    0.30000000000000004,
                                    16777217};
    char text[PML_F64_TEXT_BYTES];
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        CU_ASSERT_EQUAL(strtod(pml_f64_text(values[i], text), NULL), values[i]);
    }
    CU_ASSERT_STRING_EQUAL(pml_f64_text(0.1, text), "0.1");
    CU_ASSERT_STRING_EQUAL(pml_f64_text(1, text), "1");
    CU_ASSERT_STRING_EQUAL(pml_f64_text(0.30000000000000004, text), "0.30000000000000004");
    page p;
    page_open(&p, false);
    pml_json_begin_array(&p.w, NULL);
    pml_json_f64(&p.w, NULL, NAN);
    pml_json_f64(&p.w, NULL, INFINITY);
    pml_json_f64(&p.w, NULL, -0.25);
    pml_json_end_array(&p.w);
    page_close(&p, "[null,null,-0.25]\n");
}

static void a_full_disk_is_an_error(void) {
    FILE *stream = fopen("/dev/full", "w");
    pml_error error = {0};
    pml_json_writer w;
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    pml_json_writer_init(&w, stream, false);
    pml_json_string(&w, NULL, "lost");
    PML_ASSERT_FAILS(pml_json_finish(&w, &error), PML_E_IO, &error, "No space");
    (void)fclose(stream);
}

static void python_floats_read_back_as_floats(void) {
    page p;
    pml_error error = {0};
    static const double values[] = {1, -0.0, 0.1, 1e-5, 1e-4, 150000, 1e15, 1e22, NAN, INFINITY, -INFINITY};
    page_open(&p, false);
    pml_json_begin_array(&p.w, NULL);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        pml_json_python_f64(&p.w, NULL, values[i]);
    }
    pml_json_end_array(&p.w);
    PML_ASSERT_OK(pml_json_finish(&p.w, &error), &error);
    (void)fclose(p.stream);
    CU_ASSERT_STRING_EQUAL(p.text,
                           "[1.0,-0.0,0.1,1e-05,0.0001,150000.0,1000000000000000.0,1e+22,NaN,Infinity,-Infinity]\n");
    pml_json_reader reader;
    pml_json_reader_init(&reader, p.text, p.size_bytes, 0, "written", 64);
    reader.has_python_numbers = true;
    PML_ASSERT_OK(pml_json_expect(&reader, PML_JSON_ARRAY_BEGIN, "a list", &error), &error);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        PML_ASSERT_OK(pml_json_expect(&reader, PML_JSON_NUMBER, "a number", &error), &error);
        CU_ASSERT_TRUE(isnan(values[i]) ? isnan(reader.number) : reader.number == values[i]);
        CU_ASSERT_FALSE(reader.is_u64);
    }
    PML_ASSERT_OK(pml_json_expect(&reader, PML_JSON_ARRAY_END, "its end", &error), &error);
    pml_json_reader_deinit(&reader);
    PML_ASSERT_FAILS(pml_json_validate(p.text, p.size_bytes, "written", 64, &error), PML_E_FORMAT, &error,
                     "begins no JSON value");
    free(p.text);
}

PML_TESTS("runtime/base/json_writer", PML_TEST(nests_and_separates), PML_TEST(indents_when_asked),
          PML_TEST(escapes_text), PML_TEST(replaces_what_is_not_utf8), PML_TEST(numbers_read_back_equal),
          PML_TEST(python_floats_read_back_as_floats), PML_TEST(a_full_disk_is_an_error))
