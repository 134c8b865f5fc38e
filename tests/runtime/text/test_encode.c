/* The recorded vectors of BertTokenizer, id by id; limits, pairs, hostile texts. */
#include <stdio.h>

#include "tests/runtime/text/golden_lines.h"
#include "tests/runtime/text/vocabulary_fixture.h"

static void check_ids(const pml_encoding *e, const char *line, const char *key, bool types) {
    size_t n;
    const char *value = golden_value(line, key);
    if (value == NULL) {
        return;
    }
    long *expected = golden_numbers(value, &n);
    bool same = n == e->count;
    for (size_t i = 0; same && i < n; i++) {
        same = expected[i] == (long)(types ? e->tokens[i].type_id : e->tokens[i].id);
    }
    if (!same) {
        fprintf(stderr, "%s differ: %.300s\n  have:", key, line);
        for (size_t i = 0; i < e->count && i < 40; i++) {
            fprintf(stderr, " %u", types ? e->tokens[i].type_id : e->tokens[i].id);
        }
        fprintf(stderr, "\n");
    }
    CU_ASSERT_TRUE(same);
    free(expected);
}

static void check_offsets(const pml_encoding *e, const char *line) {
    size_t n;
    const char *value = golden_value(line, "offsets");
    if (value == NULL) {
        return;
    }
    long *expected = golden_numbers(value, &n);
    bool same = n == 2 * e->count;
    for (size_t i = 0; same && i < e->count; i++) {
        same = expected[2 * i] == (long)e->tokens[i].start_bytes && expected[2 * i + 1] == (long)e->tokens[i].end_bytes;
    }
    if (!same) {
        fprintf(stderr, "offsets differ: %.300s\n  have:", line);
        for (size_t i = 0; i < e->count && i < 40; i++) {
            fprintf(stderr, " [%zu,%zu]", e->tokens[i].start_bytes, e->tokens[i].end_bytes);
        }
        fprintf(stderr, "\n");
    }
    CU_ASSERT_TRUE(same);
    free(expected);
}

static void check_line(const pml_tokenizer *tokenizer, const char *line, pml_encoding *e) {
    pml_error error;
    golden_text text = golden_string(golden_value(line, "text")), pair = {0}, raw = {0};
    const char *pair_value = golden_value(line, "pair"), *raw_value = golden_value(line, "bytes"),
               *limit = golden_value(line, "max_length");
    const pml_encode_options options = {.max_tokens = limit != NULL ? strtoul(limit, NULL, 10) : 0};
    if (pair_value != NULL) {
        pair = golden_string(pair_value);
    }
    PML_ASSERT_OK(
        pml_tokenizer_run(tokenizer, text.bytes, text.size_bytes, pair.bytes, pair.size_bytes, &options, e, &error),
        &error);
    check_ids(e, line, "ids", false);
    check_ids(e, line, "type_ids", true);
    check_offsets(e, line);
    if (raw_value != NULL) {
        raw = golden_bytes(raw_value);
        PML_ASSERT_OK(pml_tokenizer_run(tokenizer, raw.bytes, raw.size_bytes, NULL, 0, &options, e, &error), &error);
        check_ids(e, line, "ids", false);
    }
    free(text.bytes);
    free(pair.bytes);
    free(raw.bytes);
}

static void check_file(const char *vectors, const char *vocabulary, bool lowercase, size_t n_lines) {
    const char *path = pml_test_golden(vectors), *vocabulary_path = pml_test_golden(vocabulary);
    if (path == NULL || vocabulary_path == NULL) {
        pml_test_skip("no recorded tokenizer vectors (PML_GOLDENS)");
        return;
    }
    fixture f;
    size_t size_bytes, n = 0;
    char *text = (char *)pml_test_read_file(vocabulary_path, &size_bytes);
    fixture_describe(&f, text, size_bytes, lowercase);
    CU_ASSERT_TRUE_FATAL(fixture_make(&f));
    free(text);
    char *line = NULL;
    size_t capacity = 0;
    pml_encoding e = {0};
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (getline(&line, &capacity, file) > 0) {
        check_line(f.tokenizer, line, &e);
        n++;
    }
    CU_ASSERT_EQUAL(n, n_lines);
    fclose(file);
    free(line);
    pml_encoding_deinit(&e);
    fixture_deinit(&f);
}

static void uncased_vectors(void) {
    check_file("tokenizers/wordpiece.jsonl", "tokenizers/minilm/vocab.txt", true, 641);
}

static void cased_vectors(void) {
    check_file("tokenizers/wordpiece-cased.jsonl", "tokenizers/minilm/vocab.txt", false, 361);
}

static void tiny_vectors(void) {
    check_file("tokenizers/wordpiece-tiny.jsonl", "tokenizers/tiny/vocab.txt", true, 30);
}

PML_TESTS("runtime/text/encode", PML_TEST(uncased_vectors), PML_TEST(cased_vectors), PML_TEST(tiny_vectors))
