/* The commands on text, from a converted repository to what they print. */
#include <stdio.h>
#include <string.h>

#include "tests/convert/command_fixture.h"

#define RUNS(part, ...) CU_ASSERT_TRUE(runs(0, (part), pml_test_path(__VA_ARGS__), __LINE__))
#define EXITS(code, part, ...) CU_ASSERT_TRUE(runs((code), (part), pml_test_path(__VA_ARGS__), __LINE__))

static bool runs(int expected, const char *part, const char *arguments, int line) {
    char *output = NULL;
    const int code = pml_test_command(&output, "'%s/pml-run' %s", pml_test_binary_dir(), arguments);
    const bool fits = code == expected && strstr(output, part) != NULL;
    if (!fits) {
        (void)printf("\n    %d: pml-run %s\n    exit %d, expected %d and %s; output:\n%s\n", line, arguments, code,
                     expected, part, output);
    }
    free(output);
    return fits;
}

/* Prints that and nothing else. */
#define PRINTS(expected, ...) CU_ASSERT_TRUE(prints((expected), pml_test_path(__VA_ARGS__), __LINE__))

static bool prints(const char *expected, const char *arguments, int line) {
    char *output = NULL;
    const int code = pml_test_command(&output, "'%s/pml-run' %s", pml_test_binary_dir(), arguments);
    const bool fits = code == 0 && strcmp(output, expected) == 0;
    if (!fits) {
        (void)printf("\n    %d: pml-run %s\n    exit %d, expected %s; output:\n%.500s\n", line, arguments, code,
                     expected, output);
    }
    free(output);
    return fits;
}

/* A converted golden case, or NULL after the test was skipped. */
static const char *model_of(const char *name) {
    const char *golden = pml_test_golden(pml_test_path("bert/%s", name));
    if (golden == NULL) {
        pml_test_skip(name);
        return NULL;
    }
    return test_converted(golden, pml_test_path("%s.pml", name), "");
}

static void tokenize(void) {
    const char *model = model_of("sentence-transformer");
    if (model == NULL) {
        return;
    }
    RUNS("[CLS] the cat sat . [SEP]\n", "tokenize '%s' 'The CAT sat.'", model);
    RUNS("2 89 90 3\n2 94 3\n", "tokenize '%s' --ids 'the cat' dog", model);
    RUNS("the cat\n", "tokenize '%s' --no-special 'the cat'", model);
    RUNS("{\"ids\":[2,89,3,90,3],\"type_ids\":[0,0,0,1,1],\"tokens\":[\"[CLS]\",\"the\",\"[SEP]\",\"cat\",\"[SEP]\"],"
         "\"offsets\":[[0,0],[0,3],[0,0],[0,3],[0,0]],\"truncated\":false}",
         "tokenize '%s' --json --pair cat the", model);
    RUNS("\"truncated\":true", "tokenize '%s' --json --max-tokens 3 'the cat sat'", model);
    const char *lines = pml_test_path("%s/lines", pml_test_temporary_dir());
    pml_test_write_file(lines,
                        "the\0cat\n\n\xff"
                        "dog",
                        13);
    RUNS("[CLS] the ##c ##a ##t [SEP]\n[CLS] [SEP]\n[CLS] dog [SEP]\n", "tokenize '%s' --file '%s'", model, lines);
    RUNS("[CLS] dog [SEP]\n", "tokenize '%s' < '%s'", model, lines);
    EXITS(2, "not both", "tokenize '%s' --file '%s' text", model, lines);
    EXITS(66, "no-such-file", "tokenize '%s' --file no-such-file", model);
}

static void embed(void) {
    const char *model = model_of("sentence-transformer");
    if (model == NULL) {
        return;
    }
    const char *out = pml_test_path("%s/x.npy", pml_test_temporary_dir());
    RUNS("1.000000\t", "embed '%s' --similarity 'a dog ran' 'the cat'", model);
    RUNS("\"truncated\":true", "embed '%s' --json --max-tokens 4 'the cat sat on the mat'", model);
    RUNS(out, "embed '%s' -o '%s' 'a dog ran' 'the cat' 'the'", model, out);
    size_t size_bytes;
    unsigned char *bytes = pml_test_read_file(out, &size_bytes);
    CU_ASSERT_EQUAL(size_bytes, 128 + 3 * 32 * 4);
    CU_ASSERT_EQUAL(memcmp(bytes, "\x93NUMPY\x01\x00", 8), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr((const char *)bytes + 10, "'shape': (3, 32)"));
    free(bytes);
    EXITS(2, "at most 48", "embed '%s' --max-tokens 4000 x", model);
    EXITS(2, "overwrite", "embed '%s' x -o '%s'", model, model);
}

static void heads_of_all_kinds(void) {
    const char *mask = model_of("masked-lm"), *tag = model_of("token-cls"), *answer = model_of("qa"),
               *classify = model_of("seq-cls"), *pretraining = model_of("pretraining");
    if (mask == NULL || tag == NULL || answer == NULL || classify == NULL || pretraining == NULL) {
        return;
    }
    RUNS("\"token\":", "fill-mask '%s' --json --top-k 2 'the cat [MASK] on the [MASK]'", mask);
    RUNS("\t0.", "fill-mask '%s' 'the [MASK]'", pretraining);
    EXITS(2, "[MASK]", "fill-mask '%s' 'the cat'", mask);
    EXITS(65, "masked_lm", "fill-mask '%s' 'the [MASK]'", tag);
    RUNS("\"spans\":[", "tag '%s' --json 'the cat sat'", tag);
    RUNS("cat\t", "tag '%s' --tokens 'the cat sat'", tag);
    EXITS(65, "token_classification", "tag '%s' x", mask);
    RUNS("\"answers\":[{\"answer\":", "answer '%s' --json --question 'the cat' --context 'the dog ran fast'", answer);
    EXITS(2, "--question", "answer '%s' --context x", answer);
    EXITS(65, "question_answering", "answer '%s' --question x --context y", mask);
    RUNS("\t0.", "classify '%s' 'the cat sat'", classify);
    RUNS("\"truncated\":true", "classify '%s' --json --max-tokens 3 'the cat sat'", classify);
    EXITS(65, "sequence_classification", "classify '%s' x", mask);
    EXITS(2, "--top-k", "fill-mask '%s' --top-k 0 'the [MASK]'", mask);
}

/* Writes `size_bytes` bytes, `piece` over and over and a newline, and returns the path. */
static const char *long_line(const char *name, const char *piece, size_t size_bytes) {
    const char *path = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    FILE *stream = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    for (size_t n = 0; n < size_bytes; n += strlen(piece)) {
        (void)fputs(piece, stream);
    }
    (void)fputc('\n', stream);
    CU_ASSERT_EQUAL_FATAL(fclose(stream), 0);
    return path;
}

/* The three ways in which texts come, for the two commands: each answers every line, or nothing where there is none. */
static void texts_of_any_bytes(void) {
    static const struct {
        const char *bytes;
        size_t size_bytes;
        const char *tokens; /* of both the file and standard input */
    } rows[] = {
        {"", 0, ""},
        {"\n", 1, "[CLS] [SEP]\n"},
        {"\n\nthe", 5, "[CLS] [SEP]\n[CLS] [SEP]\n[CLS] the [SEP]\n"},
        {"the\0cat\n", 8, "[CLS] the ##c ##a ##t [SEP]\n"},
        {"\0\n", 2, "[CLS] [SEP]\n"},
        {"\xff\xfe \xe4\xb8 the\xc0\xaf\n", 12, "[CLS] the [SEP]\n"},
        {"the \xed\xa0\x80 cat\xf0\x9f\n", 14, "[CLS] the cat [SEP]\n"},
        {"the cat\r\n", 9, "[CLS] the cat [SEP]\n"},
    };
    const char *model = model_of("sentence-transformer"), *path = pml_test_path("%s/any", pml_test_temporary_dir());
    if (model == NULL) {
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pml_test_write_file(path, rows[i].bytes, rows[i].size_bytes);
        size_t n_lines = 0;
        for (const char *at = rows[i].tokens; (at = strchr(at, '\n')) != NULL; at++) {
            n_lines++;
        }
        PRINTS(rows[i].tokens, "tokenize '%s' --file '%s'", model, path);
        PRINTS(rows[i].tokens, "tokenize '%s' < '%s'", model, path);
        PRINTS(rows[i].tokens, "tokenize '%s' --file - < '%s'", model, path);
        PRINTS(pml_test_path("%zu\n", n_lines), "embed '%s' --file '%s' | wc -l", model, path);
        PRINTS(pml_test_path("%zu\n", n_lines), "embed '%s' --json < '%s' | grep -c . || true", model, path);
    }
    PRINTS("[CLS] the cat [SEP]\n[CLS] [SEP]\n", "tokenize '%s' \"$(printf 'the \\377 cat\\344')\" ''", model);
    PRINTS("2\n", "embed '%s' \"$(printf 'the \\377 cat\\344')\" '' | wc -l", model);
}

static void lines_of_ten_megabytes(void) {
#ifdef PML_TEST_SANITIZED
    enum { N = 1000000 };
#else
    enum { N = 10000000 };
#endif
    const char *model = model_of("sentence-transformer");
    if (model == NULL) {
        return;
    }
    const char *word = long_line("word", "x", N), *words = long_line("words", "the cat ", N);
    const char *marks = long_line("marks", "\xe3\x80\xae", N), *broken = long_line("broken", "\xff", N);
    PRINTS("[CLS] [UNK] [SEP]\n", "tokenize '%s' --file '%s'", model, word);
    PRINTS("[CLS] [UNK] [SEP]\n", "tokenize '%s' < '%s'", model, marks);
    PRINTS("[CLS] [SEP]\n", "tokenize '%s' < '%s'", model, broken);
    PRINTS(pml_test_path("%d\n", N / 4 + 2), "tokenize '%s' < '%s' | wc -w", model, words);
    PRINTS("1\n", "embed '%s' --json < '%s' | grep -c '\"truncated\":true'", model, words);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "cat '%s' '%s' '%s' >> '%s'", word, marks, broken, words), 0);
    PRINTS("4\n", "embed '%s' < '%s' | wc -l", model, words);
}

/* What a terminal would obey is not sent to it: not from texts, tokens or labels. */
static void plain_output_is_printable(void) {
    const char *tag = model_of("token-cls"), *copy = test_copy_case("bert/seq-cls", "labels");
    if (tag == NULL || copy == NULL) {
        return;
    }
    RUNS("the \\xFFcat\\x1B", "tag '%s' \"$(printf 'the \\377cat\\033[31m')\"", tag);
    const char *config = "{\"cls_token\":\"\\u001b[31m\"}";
    pml_test_write_file(pml_test_path("%s/tokenizer_config.json", copy), config, strlen(config));
    test_replace_text(pml_test_path("%s/vocab.txt", copy), "[CLS]", "\x1b[31m");
    test_replace_text(pml_test_path("%s/config.json", copy), "\"LABEL_0\",", "\"\\u001b[32m\",");
    const char *classify = test_converted(copy, "labels.pml", "");
    PRINTS("\\x1B[31m the [SEP]\n", "tokenize '%s' the", classify);
    RUNS("\\x1B[32m\t0.", "classify '%s' --top-k 3 the", classify);
}

static void no_tokenizer(void) {
    const char *copy = test_copy_case("bert/model", "bare");
    if (copy == NULL) {
        return;
    }
    CU_ASSERT_EQUAL(pml_test_command(NULL, "rm '%s/vocab.txt'", copy), 0);
    const char *model = test_converted(copy, "bare.pml", "");
    EXITS(65, "no tokenizer", "tokenize '%s' x", model);
    EXITS(65, "no tokenizer", "embed '%s' x", model);
}

/* Another vocabulary beside the same weights is found. */
static void source_is_verified_with_its_tokenizer(void) {
    const char *copy = test_copy_case("bert/model", "verified");
    if (copy == NULL) {
        return;
    }
    const char *model = test_converted(copy, "verified.pml", "");
    TEST_EXITS(0, NULL, "verify '%s' --source '%s'", model, copy);
    test_replace_text(pml_test_path("%s/vocab.txt", copy), "\ncat\n", "\ncow\n");
    TEST_EXITS(1, "tokenizer", "verify '%s' --source '%s'", model, copy);
}

/* 1,000 held-out verses: the label of every one, and so the recorded accuracy. */
static void every_label_of_a_trained_classifier(void) {
    const char *golden = pml_test_golden("bert/kjv-cls");
    if (golden == NULL) {
        pml_test_skip("no bert/kjv-cls (PML_GOLDENS)");
        return;
    }
    const char *model = test_converted(golden, "kjv.pml", "");
    const char *texts = pml_test_path("%s/verses", pml_test_temporary_dir());
    char *output = NULL;
    CU_ASSERT_EQUAL(
        pml_test_command(&output,
                         "'%s' -c 'import json,sys\n"
                         "rows = [json.loads(l) for l in open(sys.argv[1])]\n"
                         "open(sys.argv[2], \"w\").write(\"\".join(r[\"text\"] + \"\\n\" for r in rows))\n"
                         "open(sys.argv[2] + \".labels\", \"w\").write(\"\".join(r[\"predicted\"] + \"\\n\" for "
                         "r in rows))' '%s/heldout.jsonl' '%s' && '%s/pml-run' classify '%s' --file '%s' | "
                         "cut -f1 | cmp - '%s.labels' && wc -l < '%s'",
                         getenv("PML_TEST_PYTHON") != NULL ? getenv("PML_TEST_PYTHON") : "python3", golden, texts,
                         pml_test_binary_dir(), model, texts, texts, texts),
        0);
    CU_ASSERT_STRING_EQUAL(output, "1000\n");
    free(output);
}

PML_TESTS("convert/text_commands", PML_TEST(tokenize), PML_TEST(embed), PML_TEST(texts_of_any_bytes),
          PML_TEST(lines_of_ten_megabytes), PML_TEST(plain_output_is_printable), PML_TEST(heads_of_all_kinds),
          PML_TEST(no_tokenizer), PML_TEST(source_is_verified_with_its_tokenizer),
          PML_TEST(every_label_of_a_trained_classifier))
