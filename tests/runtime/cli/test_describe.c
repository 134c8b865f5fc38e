/* Texts and JSON that several commands show of one thing. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/cli/describe.h"
#include "tests/harness.h"

static void shapes_and_digests(void) {
    char text[PML_SHAPE_TEXT_BYTES], digest[PML_DIGEST_TEXT_BYTES];
    const uint64_t widest[PML_MAX_RANK] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                                           UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    CU_ASSERT_STRING_EQUAL(pml_shape_text(NULL, 0, text), "[]");
    CU_ASSERT_STRING_EQUAL(pml_shape_text((const uint64_t[]){2, 3}, 2, text), "[2,3]");
    CU_ASSERT_EQUAL(strlen(pml_shape_text(widest, PML_MAX_RANK, text)), 8 * 20 + 7 + 2);
    const uint8_t bytes[16] = {0x00, 0x0f, 0xff, [15] = 0xa0};
    CU_ASSERT_STRING_EQUAL(pml_digest_text(bytes, digest), "000fff000000000000000000000000a0");
}

static void has_value_text(const pml_metadata *metadata, const char *key, const char *expected) {
    pml_error error = {0};
    char *text = NULL;
    PML_ASSERT_OK(pml_meta_value_text(pml_metadata_find(metadata, key), &text, &error), &error);
    CU_ASSERT_STRING_EQUAL(text, expected);
    pml_free(text);
}

static pml_metadata *every_type(void) {
    pml_error error = {0};
    pml_metadata *metadata = NULL;
    const int64_t numbers[] = {1, 2, 3, 4, 5, 6, 7, 8, -9};
    const double reals[] = {0.5, 1e-05};
    PML_ASSERT_OK(pml_metadata_create(&metadata, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_bool(metadata, "b", true, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64(metadata, "i", -7, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_f64(metadata, "f", 0.1, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(metadata, "s", "two words", &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64s(metadata, "is", numbers, 9, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_f64s(metadata, "fs", reals, 2, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_strings(metadata, "ss", (const char *const[]){"x", ""}, 2, &error), &error);
    return metadata;
}

static void values_as_text(void) {
    pml_metadata *metadata = every_type();
    has_value_text(metadata, "b", "true");
    has_value_text(metadata, "i", "-7");
    has_value_text(metadata, "f", "0.1");
    has_value_text(metadata, "s", "two words");
    has_value_text(metadata, "is", "[1, 2, 3, 4, 5, 6, 7, 8, ... 9 in all]");
    has_value_text(metadata, "fs", "[0.5, 1e-05]");
    has_value_text(metadata, "ss", "[x, ]");
    has_value_text(metadata, "absent", "-");
    pml_metadata_destroy(metadata);
}

static void values_as_json(void) {
    pml_error error = {0};
    pml_metadata *metadata = every_type();
    const pml_selftest_report report = {
        .results =
            (pml_selftest_result[]){{.name = "y", .max_error = 0.25, .allowed = 1, .by_rms = true, .passed = true}},
        .count = 1};
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *stream = open_memstream(&text, &size_bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    pml_json_writer w;
    pml_json_writer_init(&w, stream, false);
    pml_json_begin_object(&w, NULL);
    for (size_t i = 0; i < pml_metadata_count(metadata); i++) {
        pml_meta_value_json(&w, pml_metadata_at(metadata, i)->key, pml_metadata_at(metadata, i));
    }
    pml_meta_value_json(&w, "absent", NULL);
    pml_shape_json(&w, "shape", (const uint64_t[]){4, 1}, 2);
    pml_selftest_json(&w, "outputs", &report);
    pml_json_end_object(&w);
    PML_ASSERT_OK(pml_json_finish(&w, &error), &error);
    (void)fclose(stream);
    CU_ASSERT_STRING_EQUAL(text, "{\"b\":true,\"f\":0.1,\"fs\":[0.5,1e-05],\"i\":-7,\"is\":[1,2,3,4,5,6,7,8,-9],"
                                 "\"s\":\"two words\",\"ss\":[\"x\",\"\"],\"absent\":null,\"shape\":[4,1],"
                                 "\"outputs\":[{\"name\":\"y\",\"passed\":true,\"judged_by\":\"relative_rms\","
                                 "\"max_error\":0.25,\"relative_rms\":0,\"allowed\":1}]}\n");
    free(text);
    pml_metadata_destroy(metadata);
}

PML_TESTS("runtime/cli/describe", PML_TEST(shapes_and_digests), PML_TEST(values_as_text), PML_TEST(values_as_json))
