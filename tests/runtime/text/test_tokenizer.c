/* The tokenizer as an object: limits, added tokens, flags, hostile blobs and texts, failing allocations. */
#include "runtime/text/tokenizer.h"

#include <stdio.h>

#include "runtime/text/tokenizer_parts.h"
#include "tests/runtime/text/vocabulary_fixture.h"

#define WORDS "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##a\nab\n##ab\nb\n.\nA\n\xc3\xa9\ne\n\xe4\xb8\xad\n##b\n"
enum { PAD, UNK, CLS, SEP, MASK, A, AA, AB, AAB, B, DOT, BIG_A, E_ACUTE, E, ZHONG, BB };
enum { HEADER_BYTES = 72 };

/* Whether `text` gives exactly these ids between [CLS] and [SEP]; they end with -1. */
static bool gives(const pml_tokenizer *tokenizer, const char *text, size_t text_bytes, const int *ids) {
    pml_encoding e = {0};
    pml_error error;
    size_t n = 0;
    bool same = pml_test_ok(pml_tokenizer_run(tokenizer, text, text_bytes, NULL, 0, NULL, &e, &error), &error, __FILE__,
                            __LINE__);
    while (ids[n] >= 0) {
        n++;
    }
    same = same && e.count == n + 2 && e.tokens[0].id == CLS && e.tokens[n + 1].id == SEP;
    for (size_t i = 0; same && i < n; i++) {
        same = e.tokens[i + 1].id == (uint32_t)ids[i];
    }
    pml_encoding_deinit(&e);
    return same;
}

#define GIVES(f, text, ...) CU_ASSERT_TRUE(gives((f).tokenizer, text, sizeof(text) - 1, (const int[]){__VA_ARGS__, -1}))

static void longest_match_first(void) {
    fixture f;
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    GIVES(f, "ab", AB);
    GIVES(f, "aab", A, AAB);
    GIVES(f, "abab a.b", AB, AAB, A, DOT, B);
    GIVES(f, "abx", UNK); /* one unknown piece makes the whole word unknown */
    GIVES(f, "AB", AB);
    GIVES(f, "\xc3\x89", E); /* capital E with an accent */
    GIVES(f, "a\0b", AB);    /* a zero is removed, as every control character */
    GIVES(f,
          "a\xff"
          "b",
          AB);
    GIVES(f,
          "a\xe4\xb8\xad"
          "b",
          A, ZHONG, B);
    GIVES(f, "[MASK]a [mask]", MASK, A, UNK, UNK, UNK);
    CU_ASSERT_TRUE(gives(f.tokenizer, "", 0, (const int[]){-1}));
    fixture_deinit(&f);
}

static void flags_are_obeyed(void) {
    fixture f;
    fixture_describe(&f, WORDS, strlen(WORDS), false);
    f.spec.handle_chinese = f.spec.clean_text = false;
    CU_ASSERT_TRUE_FATAL(fixture_make(&f));
    GIVES(f, "A", BIG_A);
    GIVES(f, "\xc3\xa9", E_ACUTE);
    GIVES(f, "a\xe4\xb8\xad", UNK);
    GIVES(f, "a\0b", UNK);
    GIVES(f, "a\vb", A, B); /* white space that cleaning would remove */
    fixture_deinit(&f);
    fixture_describe(&f, WORDS, strlen(WORDS), false);
    f.spec.strip_accents = true;
    CU_ASSERT_TRUE_FATAL(fixture_make(&f));
    GIVES(f, "A \xc3\xa9", BIG_A, E);
    fixture_deinit(&f);
    fixture_describe(&f, WORDS, strlen(WORDS), false);
    f.spec.lowercase = true;
    CU_ASSERT_TRUE_FATAL(fixture_make(&f));
    GIVES(f, "A \xc3\x89", A, E_ACUTE);
    fixture_deinit(&f);
}

static void added_tokens_take_spaces(void) {
    fixture f;
    pml_encoding e = {0};
    pml_error error;
    fixture_describe(&f, WORDS, strlen(WORDS), true);
    f.added[4].strips_left = f.added[4].strips_right = true;
    CU_ASSERT_TRUE_FATAL(fixture_make(&f));
    PML_ASSERT_OK(pml_tokenizer_run(f.tokenizer, "a \t[MASK]  b", 12, NULL, 0, NULL, &e, &error), &error);
    CU_ASSERT_EQUAL_FATAL(e.count, 5);
    CU_ASSERT_TRUE(e.tokens[2].id == MASK && e.tokens[2].start_bytes == 1 && e.tokens[2].end_bytes == 11);
    pml_encoding_deinit(&e);
    fixture_deinit(&f);
}

static void limits(void) {
    fixture f;
    pml_encoding e = {0};
    pml_error error;
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    const pml_encode_options two = {.max_tokens = 2}, one = {.max_tokens = 1}, six = {.max_tokens = 6},
                             second = {.max_tokens = 6, .truncation = PML_TRUNCATE_SECOND}, bare = {.no_special = true};
    PML_ASSERT_OK(pml_tokenizer_run(f.tokenizer, "a b a", 5, NULL, 0, &two, &e, &error), &error);
    CU_ASSERT_TRUE(e.count == 2 && e.is_truncated);
    PML_ASSERT_FAILS(pml_tokenizer_run(f.tokenizer, "a", 1, NULL, 0, &one, &e, &error), PML_E_ARGUMENT, &error,
                     "template");
    PML_ASSERT_OK(pml_tokenizer_run(f.tokenizer, "a a a a", 7, "b b b b", 7, &six, &e, &error), &error);
    CU_ASSERT_TRUE(e.count == 6 && e.tokens[1].id == A && e.tokens[2].id == SEP && e.tokens[4].id == B);
    PML_ASSERT_OK(pml_tokenizer_run(f.tokenizer, "a a", 3, "b b b b", 7, &second, &e, &error), &error);
    CU_ASSERT_TRUE(e.count == 6 && e.tokens[2].id == A && e.tokens[3].id == SEP && e.tokens[4].id == B);
    PML_ASSERT_FAILS(pml_tokenizer_run(f.tokenizer, "a a a a", 7, "b", 1, &second, &e, &error), PML_E_ARGUMENT, &error,
                     "first text");
    PML_ASSERT_OK(pml_tokenizer_run(f.tokenizer, "a", 1, "b", 1, &bare, &e, &error), &error);
    CU_ASSERT_TRUE(e.count == 2 && e.tokens[1].type_id == 1 && !e.is_truncated);
    pml_encoding_deinit(&e);
    fixture_deinit(&f);
}

/* Added tokens that share a long beginning, over a text of nothing else: the time is that of a word, not of the text.
 */
static void added_tokens_of_one_beginning(void) {
    enum { N = 200000, LONG = 255 };
    char words[2 * (LONG + 2) + sizeof WORDS], *text = malloc(N);
    fixture f;
    pml_encoding e = {0};
    pml_error error;
    memset(text, 'a', N);
    const int n = snprintf(words, sizeof words, "%s%.*sb\n%.*sc\n", WORDS, LONG, text, LONG, text);
    fixture_describe(&f, words, (size_t)n, true);
    pml_added_token added[7] = {[5] = {.id = 16}, [6] = {.id = 17}};
    CU_ASSERT_EQUAL_FATAL(f.spec.n_added, 5);
    memcpy(added, f.added, sizeof f.added);
    f.spec.added = added;
    f.spec.n_added = 7;
    CU_ASSERT_TRUE_FATAL(fixture_make(&f));
    text[N / 2] = 'c';
    PML_ASSERT_OK(pml_tokenizer_run(f.tokenizer, text, N, NULL, 0, NULL, &e, &error), &error);
    CU_ASSERT_EQUAL_FATAL(e.count, 5);
    CU_ASSERT_TRUE(e.tokens[1].id == UNK && e.tokens[2].id == 17 && e.tokens[3].id == UNK);
    CU_ASSERT_TRUE(e.tokens[2].start_bytes == N / 2 - LONG && e.tokens[2].end_bytes == N / 2 + 1);
    pml_encoding_deinit(&e);
    fixture_deinit(&f);
    free(text);
}

static void huge_texts(void) {
    enum { N = 10000000 }; /* 10 MB */
    static const char *const fillers[] = {"a", "a ", "\xe3\x80\xae", "["};
    fixture f;
    pml_encoding e = {0};
    pml_error error;
    const pml_encode_options limit = {.max_tokens = 128};
    char *text = malloc(N);
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    for (size_t k = 0; k < sizeof fillers / sizeof fillers[0]; k++) {
        const size_t length = strlen(fillers[k]);
        for (size_t i = 0; i < N; i++) {
            text[i] = fillers[k][i % length];
        }
        PML_ASSERT_OK(pml_tokenizer_run(f.tokenizer, text, N, NULL, 0, &limit, &e, &error), &error);
        CU_ASSERT_TRUE(e.count >= 2 && e.count <= 128);
    }
    CU_ASSERT_TRUE(e.scratch->marks_capacity < 1000); /* a run of any length is held in the space of a word */
    pml_encoding_deinit(&e);
    fixture_deinit(&f);
    free(text);
}

/* Marks that stay are put in the order of their classes, whatever their number. */
static void runs_of_marks(void) {
    fixture f;
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS "\xf0\x9d\x85\xa5\xe3\x80\xae\n", true));
    const int whole[] = {16, -1};
    CU_ASSERT_TRUE(gives(f.tokenizer, "\xe3\x80\xae\xf0\x9d\x85\xa5", 7, whole));
    CU_ASSERT_TRUE(gives(f.tokenizer, "\xf0\x9d\x85\xa5\xcc\x81\xe3\x80\xae", 9, whole));
    char many[1000 * 3];
    for (size_t i = 0; i < sizeof many; i++) {
        many[i] = "\xe3\x80\xae"[i % 3];
    }
    for (size_t n = 99; n <= 1000;
         n = n < 105 ? n + 1 : n + 37) { /* one word, known to none, about its greatest length */
        pml_encoding e = {0};
        pml_error error;
        PML_ASSERT_OK(pml_tokenizer_run(f.tokenizer, many, 3 * n, NULL, 0, NULL, &e, &error), &error);
        CU_ASSERT_TRUE_FATAL(e.count == 3 && e.tokens[1].id == UNK);
        CU_ASSERT_TRUE(e.tokens[1].start_bytes == 0 && e.tokens[1].end_bytes == 3 * n);
        pml_encoding_deinit(&e);
    }
    fixture_deinit(&f);
}

/* Every byte of a blob changed in several ways, and every beginning of it: an error or a usable tokenizer. */
static void hostile_blobs(void) {
    static const uint8_t changes[] = {0x00, 0xff, 0x01, 0x80, 0x7f};
    fixture f;
    pml_error error;
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    uint8_t *copy = malloc(f.size_bytes);
    for (size_t i = 0; i < f.size_bytes; i++) {
        for (size_t k = 0; k < sizeof changes; k++) {
            pml_tokenizer *tokenizer = NULL;
            pml_encoding e = {0};
            memcpy(copy, f.bytes, f.size_bytes);
            copy[i] = k == 2 ? (uint8_t)(copy[i] + 1) : changes[k];
            if (pml_tokenizer_create(copy, f.size_bytes, &tokenizer, &error) == PML_OK) {
                CU_ASSERT_NOT_EQUAL(pml_tokenizer_run(tokenizer, "ab [MASK] abx", 13, "a", 1, NULL, &e, &error),
                                    PML_E_MEMORY);
            } else {
                CU_ASSERT_PTR_NULL(tokenizer);
            }
            pml_encoding_deinit(&e);
            pml_tokenizer_destroy(tokenizer);
        }
    }
    free(copy);
    for (size_t n = 0; n < f.size_bytes; n++) {
        pml_tokenizer *tokenizer = NULL;
        uint8_t *cut = malloc(n + 1);
        memcpy(cut, f.bytes, n);
        PML_ASSERT_FAILS(pml_tokenizer_create(cut, n, &tokenizer, &error), PML_E_FORMAT, &error,
                         n < HEADER_BYTES ? "header" : "add up");
        free(cut);
    }
    fixture_deinit(&f);
}

static void impossible_descriptions(void) {
    static const struct {
        size_t offset;
        uint32_t value;
        pml_status status;
        const char *part;
    } cases[] = {
        {0, 2, PML_E_UNSUPPORTED, "version 2"},
        {4, 3, PML_E_UNSUPPORTED, "model 3"},
        {8, 16, PML_E_UNSUPPORTED, "flags"},
        {16, 0, PML_E_FORMAT, "words of up to 0"},
        {16, 1000000, PML_E_FORMAT, "characters"},
        {20, 99, PML_E_FORMAT, "unknown token"},
        {24, 99, PML_E_FORMAT, "cls"},
        {28, 99, PML_E_FORMAT, "sep"},
        {32, 99, PML_E_FORMAT, "pad"},
        {36, 99, PML_E_FORMAT, "mask"},
        {12, 0xffffffff, PML_E_FORMAT, "add up"},
        {40, 0xffffffff, PML_E_FORMAT, "add up"},
        {44, 0xffffffff, PML_E_FORMAT, "add up"},
        {52, 0xffffffff, PML_E_FORMAT, "add up"},
        {HEADER_BYTES, 99999, PML_E_FORMAT, "token 0"},
    };
    fixture f;
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_tokenizer *tokenizer = NULL;
        pml_error error;
        uint8_t kept[4];
        memcpy(kept, f.bytes + cases[i].offset, sizeof kept);
        memcpy(f.bytes + cases[i].offset, &cases[i].value, sizeof kept);
        PML_ASSERT_FAILS(pml_tokenizer_create(f.bytes, f.size_bytes, &tokenizer, &error), cases[i].status, &error,
                         cases[i].part);
        memcpy(f.bytes + cases[i].offset, kept, sizeof kept);
    }
    fixture_deinit(&f);
    fixture_describe(&f, "[UNK]\n[CLS]\n[SEP]\na\na\n", 22, true);
    pml_error error;
    PML_ASSERT_OK(pml_tokenizer_pack(&f.spec, &f.bytes, &f.size_bytes, &error), &error);
    PML_ASSERT_FAILS(pml_tokenizer_create(f.bytes, f.size_bytes, &f.tokenizer, &error), PML_E_FORMAT, &error, "twice");
    fixture_deinit(&f);
}

static void every_failing_allocation(void) {
    fixture f;
    CU_ASSERT_TRUE_FATAL(fixture_init(&f, WORDS, true));
    bool done = false;
    for (unsigned long n = 1; n < 1000 && !done; n++) {
        pml_tokenizer *tokenizer = NULL;
        pml_encoding e = {0};
        pml_error error;
        pml_test_fail_allocation(n, true);
        pml_status status = pml_tokenizer_create(f.bytes, f.size_bytes, &tokenizer, &error);
        if (status == PML_OK) {
            status = pml_tokenizer_run(tokenizer, "ab\xe3\x80\xae\xf0\x9d\x85\xa5", 9, "a", 1, NULL, &e, &error);
        }
        pml_test_fail_allocation(0, false);
        CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
        done = status == PML_OK;
        pml_encoding_deinit(&e);
        pml_tokenizer_destroy(tokenizer);
    }
    CU_ASSERT_TRUE(done);
    fixture_deinit(&f);
}

PML_TESTS("runtime/text/tokenizer", PML_TEST(longest_match_first), PML_TEST(flags_are_obeyed),
          PML_TEST(added_tokens_take_spaces), PML_TEST(limits), PML_TEST(added_tokens_of_one_beginning),
          PML_TEST(huge_texts), PML_TEST(runs_of_marks), PML_TEST(hostile_blobs), PML_TEST(impossible_descriptions),
          PML_TEST(every_failing_allocation))
