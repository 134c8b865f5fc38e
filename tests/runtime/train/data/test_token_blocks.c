#include "runtime/train/data/token_blocks.h"

#include <stdio.h>
#include <string.h>

#include "runtime/train/data/text_file.h"
#include "tests/runtime/text/byte_level_fixture.h"

static const char *write_text(const char *name, const char *text, size_t size_bytes) {
    const char *path = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    pml_test_write_file(path, text, size_bytes);
    return path;
}

static void lines_of_a_text(void) {
    static const char text[] = "\xEF\xBB\xBF"
                               "one\r\n \t\r\n\ntwo\nthree";
    static const char *const lines[] = {"one", "two", "three"};
    static const size_t numbers[] = {1, 4, 5};
    pml_text_file file;
    pml_text_line line = {0};
    pml_error error = {0};
    PML_ASSERT_OK(pml_text_file_open(write_text("lines", text, sizeof text - 1), &file, &error), &error);
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_TRUE_FATAL(pml_text_file_next(&file, &line));
        CU_ASSERT_TRUE(line.end - line.begin == strlen(lines[i]) && line.number == numbers[i] &&
                       memcmp(file.text + line.begin, lines[i], strlen(lines[i])) == 0);
    }
    CU_ASSERT_FALSE(pml_text_file_next(&file, &line));
    CU_ASSERT_FALSE(pml_text_file_next(&file, &line));
    pml_text_file_close(&file);
    PML_ASSERT_OK(pml_text_file_open(write_text("nothing", "", 0), &file, &error), &error);
    line = (pml_text_line){0};
    CU_ASSERT_FALSE(pml_text_file_next(&file, &line));
    pml_text_file_close(&file);
}

static void what_is_no_text_is_an_error(void) {
    pml_text_file file;
    pml_error error = {0};
    PML_ASSERT_FAILS(pml_text_file_open(write_text("latin", "a\nb\xe9\n", 5), &file, &error), PML_E_FORMAT, &error,
                     "latin, line 2: bytes that are not UTF-8");
    PML_ASSERT_FAILS(pml_text_file_open(write_text("nul", "a\n\nb\0\n", 6), &file, &error), PML_E_FORMAT, &error,
                     "nul, line 3: a NUL byte");
    PML_ASSERT_FAILS(pml_text_file_open("/nowhere/at/all", &file, &error), PML_E_NOT_FOUND, &error, "/nowhere/at/all");
    PML_ASSERT_FAILS(pml_text_file_open(pml_test_temporary_dir(), &file, &error), PML_E_ARGUMENT, &error, NULL);
}

/* Bytes are tokens, so what stands in a block can be read. */
static void blocks_by_hand(void) {
    byte_fixture f;
    byte_fixture_begin(&f);
    const uint32_t end = byte_fixture_special(&f, "<|end|>", false);
    CU_ASSERT_TRUE_FATAL(byte_fixture_make(&f));
    const char *const paths[] = {write_text("first", "abcd\n\nef", 8), write_text("second", "ghij", 4)};
    const struct {
        pml_stream_options options;
        size_t n_tokens;
        const char *blocks; /* inputs and their labels; $ is the separator */
    } rows[] = {{{.by_line = false}, 5, "abcd\n bcd\n\n|\nefgh efghi|"},
                {{.by_line = false, .separates = true, .separator = end}, 6, "abcd\n\n bcd\n\ne|ef$ghi f$ghij|"},
                {{.by_line = true, .separates = true, .separator = end}, 5, "abcd$ bcd$e|ef$gh f$ghi|"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pml_token_stream stream = {0};
        pml_dataset *dataset = NULL;
        pml_error error = {0};
        char text[128];
        size_t used = 0;
        PML_ASSERT_OK(pml_token_stream_read(f.tokenizer, paths, 2, &rows[i].options, &stream, &error), &error);
        PML_ASSERT_OK(pml_token_blocks_create(&stream, "texts", rows[i].n_tokens, &dataset, &error), &error);
        CU_ASSERT_TRUE(stream.ids == NULL && stream.n_ids == 0);
        for (size_t s = 0; s < dataset->n_samples; s++) {
            float ids[8];
            int64_t labels[8];
            void *const values[] = {ids, labels};
            PML_ASSERT_OK(pml_dataset_fetch(dataset, s, &(pml_data_key){0}, values, &(size_t){0}, &error), &error);
            for (size_t t = 0; t < rows[i].n_tokens; t++) {
                text[used++] = ids[t] == (float)end ? '$' : (char)ids[t];
            }
            text[used++] = ' ';
            for (size_t t = 0; t < rows[i].n_tokens; t++) {
                text[used++] = labels[t] == end ? '$' : (char)labels[t];
            }
            text[used++] = '|';
        }
        text[used] = '\0';
        CU_ASSERT_STRING_EQUAL(text, rows[i].blocks);
        pml_dataset_destroy(dataset);
    }
    pml_token_stream stream = {0};
    pml_dataset *dataset = NULL;
    pml_error error = {0};
    PML_ASSERT_OK(pml_token_stream_read(f.tokenizer, paths, 1, &rows[0].options, &stream, &error), &error);
    PML_ASSERT_FAILS(pml_token_blocks_create(&stream, "first", 0, &dataset, &error), PML_E_ARGUMENT, &error, "1 token");
    PML_ASSERT_FAILS(pml_token_blocks_create(&stream, "first", 8, &dataset, &error), PML_E_FORMAT, &error,
                     "first: 8 tokens; a block and the token behind it are 9");
    CU_ASSERT_EQUAL(stream.n_ids, 8);
    PML_ASSERT_OK(pml_token_blocks_create(&stream, "first", 7, &dataset, &error), &error);
    CU_ASSERT_EQUAL(dataset->n_samples, 1);
    pml_dataset_destroy(dataset);
    pml_token_stream_deinit(&stream);
    byte_fixture_deinit(&f);
}

/* A text of many pieces has the tokens of the whole: runs of white space at line ends must not be cut. */
static void pieces_change_no_token(void) {
    static const char *const lines[] = {"the cat\n",   "sat  \n", "\n",    "  on the\n",
                                        "mat. it's\n", "\n\n",    "x\t\n", "'s\n"};
    enum { SIZE = 1200000 };
    byte_fixture f;
    pml_error error = {0};
    byte_fixture_begin(&f);
    const uint32_t th = byte_fixture_merge(&f, 't', 'h');
    (void)byte_fixture_merge(&f, th, 'e');
    (void)byte_fixture_merge(&f, '\n', '\n');
    (void)byte_fixture_merge(&f, ' ', ' ');
    CU_ASSERT_TRUE_FATAL(byte_fixture_make(&f));
    char *text = malloc(SIZE + 16);
    size_t size_bytes = 0;
    for (uint32_t state = 1; size_bytes < SIZE;) {
        state = state * 1664525u + 1013904223u;
        const char *line = lines[state >> 29];
        memcpy(text + size_bytes, line, strlen(line));
        size_bytes += strlen(line);
    }
    const char *path = write_text("long", text, size_bytes);
    pml_token_stream stream = {0};
    pml_encoding whole = {0};
    PML_ASSERT_OK(
        pml_token_stream_read(f.tokenizer, &path, 1, &(pml_stream_options){.by_line = false}, &stream, &error), &error);
    PML_ASSERT_OK(pml_tokenizer_run(f.tokenizer, text, size_bytes, NULL, 0, &(pml_encode_options){.no_special = true},
                                    &whole, &error),
                  &error);
    CU_ASSERT_EQUAL_FATAL(stream.n_ids, whole.count);
    size_t n_same = 0;
    for (size_t i = 0; i < whole.count; i++) {
        n_same += stream.ids[i] == whole.tokens[i].id;
    }
    CU_ASSERT_EQUAL(n_same, whole.count);
    pml_encoding_deinit(&whole);
    pml_token_stream_deinit(&stream);
    free(text);
    byte_fixture_deinit(&f);
}

PML_TESTS("runtime/train/data/token_blocks", PML_TEST(lines_of_a_text), PML_TEST(what_is_no_text_is_an_error),
          PML_TEST(blocks_by_hand), PML_TEST(pieces_change_no_token))
