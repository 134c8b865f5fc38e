/* Byte-level BPE as an object: where GPT-2's pattern splits, merges against the plain definition, ranges and bytes of
 * tokens, added tokens, hostile blobs and texts, failing allocations. The recorded vectors are in
 * tests/convert/test_tokenizer_bpe.c. */
#include <stdio.h>

#include "runtime/text/tokenizer_parts.h"
#include "tests/runtime/text/byte_level_fixture.h"

enum { HEADER_BYTES = 72 };

static uint32_t random_below(uint32_t *state, uint32_t n) {
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % n;
}

/* ---- the pattern --------------------------------------------------------------------------------------------------
 */

/* Parts of a text, with '|' between them. */
static void where_the_pattern_splits(void) {
    static const char *const rows[] = {"Hello| world",
                                       "it|'s| I|'ll| we|'re|'ve| he|'d|'m|'t",
                                       "it|'|S| '|s",
                                       "a|  | b",
                                       "a|  ",
                                       "a| |\t|b",
                                       "a|\t|b",
                                       "a|\n\n|\n|b",
                                       " |\n|b",
                                       "  | b",
                                       " ",
                                       "a|1|b|23",
                                       "x|=|y",
                                       "!!'|s",
                                       "''",
                                       "'",
                                       "'|l",
                                       "'|r",
                                       "a| 12|abc|...| !|\xc2\xbd",
                                       "\xc3\xa9t\xc3\xa9| \xe4\xb8\xad\xe6\x96\x87|\xe3\x80\x82",
                                       "a|\xc2\xa0|b",
                                       "a|\xe3\x80\x80|\xe3\x80\x80|b",
                                       "a| |\xe3\x80\x80|b",
                                       "\xf0\x9f\x98\x80|a",
                                       "a|\xff\xfe|a",
                                       "\xd9\xa3|\xcc\x81|a"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[128];
        size_t n = 0, at = 0, end = 0;
        bool same = true;
        for (const char *p = rows[i]; *p != '\0'; p++) {
            if (*p != '|') {
                text[n++] = *p;
            }
        }
        for (const char *p = rows[i]; same && at < n; p++) {
            end += *p != '|' && *p != '\0';
            if (*p == '|' || *p == '\0') {
                same = pml_byte_level_split((const uint8_t *)text + at, n - at) == end - at;
                at = end;
            }
        }
        if (!same) {
            (void)printf("\n    %s", rows[i]);
        }
        CU_ASSERT_TRUE(same);
    }
}

/* ---- merging ------------------------------------------------------------------------------------------------------
 */

/* The definition, word for word: the pair of least rank, the leftmost of several, until there is none. */
static size_t merge_plainly(const byte_fixture *f, uint32_t *ids, size_t n) {
    for (;;) {
        size_t best = n;
        uint32_t best_rank = UINT32_MAX;
        for (size_t i = 0; i + 1 < n; i++) {
            for (uint32_t rank = 0; rank < f->spec.n_merges && rank < best_rank; rank++) {
                if (f->merges[rank].left_id == ids[i] && f->merges[rank].right_id == ids[i + 1]) {
                    best = i;
                    best_rank = rank;
                }
            }
        }
        if (best == n) {
            return n;
        }
        ids[best] = f->merges[best_rank].result_id;
        memmove(ids + best + 1, ids + best + 2, (n - best - 2) * sizeof *ids);
        n--;
    }
}

/* Merges of random pairs of what is there, in any order of ranks, over words of a small alphabet. */
static void merges_as_defined(void) {
    uint32_t state = 7;
    for (unsigned round = 0; round < 60; round++) {
        byte_fixture f;
        pml_encoding e = {0};
        pml_error error;
        byte_fixture_begin(&f);
        uint32_t known[4 + MOST_MERGES] = {'a', 'b', 'c', 'd'}, n_known = 4;
        const uint32_t n_wanted = 1 + random_below(&state, 40);
        for (unsigned tries = 0; tries < 200 && f.spec.n_merges < n_wanted; tries++) {
            const uint32_t left = known[random_below(&state, n_known)], right = known[random_below(&state, n_known)];
            bool is_new = f.tokens[left].size_bytes + f.tokens[right].size_bytes < 12;
            for (uint32_t i = 0; i < f.spec.n_merges; i++) {
                is_new = is_new && (f.merges[i].left_id != left || f.merges[i].right_id != right);
            }
            if (is_new) {
                known[n_known++] = byte_fixture_merge(&f, left, right);
            }
        }
        for (uint32_t i = 0; i < f.spec.n_merges; i++) { /* ranks that no training would give */
            const uint32_t k = random_below(&state, f.spec.n_merges);
            const pml_token_merge kept = f.merges[i];
            f.merges[i] = f.merges[k];
            f.merges[k] = kept;
        }
        CU_ASSERT_TRUE_FATAL(byte_fixture_make(&f));
        for (unsigned word = 0; word < 40; word++) {
            char text[64];
            uint32_t ids[64];
            const size_t n = 1 + random_below(&state, 63);
            for (size_t i = 0; i < n; i++) {
                text[i] = (char)('a' + random_below(&state, round % 3 == 0 ? 2 : 4));
                ids[i] = (uint8_t)text[i];
            }
            const size_t n_ids = merge_plainly(&f, ids, n);
            PML_ASSERT_OK(pml_tokenizer_run(f.tokenizer, text, n, NULL, 0, NULL, &e, &error), &error);
            bool same = e.count == n_ids;
            for (size_t i = 0; same && i < n_ids; i++) {
                same = e.tokens[i].id == ids[i];
            }
            CU_ASSERT_TRUE_FATAL(same);
        }
        pml_encoding_deinit(&e);
        byte_fixture_deinit(&f);
    }
}

/* ---- ranges and bytes ---------------------------------------------------------------------------------------------
 */

/* Tokens for these tests: "the", " the", U+FFFD whole, an added token that takes spaces and one that does not. */
static void describe(byte_fixture *f, uint32_t ids[5]) {
    byte_fixture_begin(f);
    ids[0] = byte_fixture_merge(f, byte_fixture_merge(f, 't', 'h'), 'e');
    ids[1] = byte_fixture_merge(f, ' ', ids[0]);
    ids[2] = byte_fixture_merge(f, byte_fixture_merge(f, 0xef, 0xbf), 0xbd);
    ids[3] = byte_fixture_special(f, "<m>", true);
    ids[4] = byte_fixture_special(f, "<|end\xc3\xa9|>", false);
}

static void check(const byte_fixture *f, const char *text, size_t text_bytes, const uint32_t *expected, size_t n) {
    pml_encoding e = {0};
    pml_error error;
    PML_ASSERT_OK(pml_tokenizer_run(f->tokenizer, text, text_bytes, NULL, 0, NULL, &e, &error), &error);
    bool same = e.count == n;
    for (size_t i = 0; same && i < n; i++) { /* id, start, end */
        same = e.tokens[i].id == expected[3 * i] && e.tokens[i].start_bytes == expected[3 * i + 1] &&
               e.tokens[i].end_bytes == expected[3 * i + 2];
    }
    if (!same) {
        (void)printf("\n    %s gives", text);
        for (size_t i = 0; i < e.count; i++) {
            (void)printf(" %u [%zu, %zu)", e.tokens[i].id, e.tokens[i].start_bytes, e.tokens[i].end_bytes);
        }
    }
    CU_ASSERT_TRUE(same);
    pml_encoding_deinit(&e);
}

#define CHECK(f, text, ...)                                                                                            \
    check(&(f), text, sizeof(text) - 1, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 12)

static void ranges_are_bytes_of_the_text(void) {
    byte_fixture f;
    uint32_t ids[5];
    describe(&f, ids);
    CU_ASSERT_TRUE_FATAL(byte_fixture_make(&f));
    CHECK(f, "the the", ids[0], 0, 3, ids[1], 3, 7);
    CHECK(f, "\xc3\xa9", 0xc3, 0, 1, 0xa9, 1, 2);
    CHECK(f, "a\xff", 'a', 0, 1, ids[2], 1, 2);
    CHECK(f, "\xe4\xb8 the", ids[2], 0, 2, ids[1], 2, 6); /* the beginning of a character is one U+FFFD */
    CHECK(f, "the \t<m>\n\xe3\x80\x80 the", ids[0], 0, 3, ids[3], 3, 13, ids[0], 13, 16);
    CHECK(f, "the <|end\xc3\xa9|> the", ids[0], 0, 3, ' ', 3, 4, ids[4], 4, 13, ids[1], 13, 17);
    CHECK(f, "<m>  <m>", ids[3], 0, 5, ids[3], 5, 8);
    CHECK(f, "<m", '<', 0, 1, 'm', 1, 2);
    byte_fixture_deinit(&f);
    describe(&f, ids);
    f.spec.adds_space = true;
    CU_ASSERT_TRUE_FATAL(byte_fixture_make(&f));
    CHECK(f, "the the", ids[1], 0, 3, ids[1], 3, 7);
    CHECK(f, " the", ids[1], 0, 4);
    CHECK(f, "\tx", ' ', 0, 0, '\t', 0, 1, 'x', 1, 2);
    CHECK(f, "\t", ' ', 0, 0, '\t', 0, 1);
    CHECK(f, "'s", ' ', 0, 0, '\'', 0, 1, 's', 1, 2);
    CHECK(f, "<m>the", ids[3], 0, 3, ids[1], 3, 6);
    CHECK(f, "<m>", ids[3], 0, 3);
    byte_fixture_deinit(&f);
}

static void tokens_stand_for_bytes(void) {
    byte_fixture f;
    uint32_t ids[5];
    uint8_t bytes[64];
    describe(&f, ids);
    CU_ASSERT_TRUE_FATAL(byte_fixture_make(&f));
    for (uint32_t id = 0; id < BYTE_TOKENS; id++) {
        CU_ASSERT_EQUAL(pml_tokenizer_decode(f.tokenizer, id, bytes), 1);
        CU_ASSERT_EQUAL(bytes[0], id);
    }
    CU_ASSERT_EQUAL(pml_tokenizer_decode(f.tokenizer, ids[1], bytes), 4);
    CU_ASSERT_EQUAL(memcmp(bytes, " the", 4), 0);
    CU_ASSERT_EQUAL(pml_tokenizer_decode(f.tokenizer, ids[4], bytes), 9); /* an added token stands for its text */
    CU_ASSERT_EQUAL(memcmp(bytes, "<|end\xc3\xa9|>", 9), 0);
    byte_fixture_deinit(&f);
}

static void limits(void) {
    byte_fixture f;
    uint32_t ids[5];
    pml_encoding e = {0};
    pml_error error;
    const pml_encode_options two = {.max_tokens = 2}, three = {.max_tokens = 3};
    describe(&f, ids);
    CU_ASSERT_TRUE_FATAL(byte_fixture_make(&f));
    PML_ASSERT_OK(pml_tokenizer_run(f.tokenizer, "the the the<m>", 14, NULL, 0, &two, &e, &error), &error);
    CU_ASSERT_TRUE(e.count == 2 && e.is_truncated && e.tokens[1].id == ids[1]);
    PML_ASSERT_OK(pml_tokenizer_run(f.tokenizer, "the", 3, "xyz", 3, &three, &e, &error), &error);
    CU_ASSERT_TRUE(e.count == 3 && e.is_truncated && e.tokens[1].i_text == 1 && e.tokens[1].type_id == 1);
    CU_ASSERT_TRUE(e.tokens[1].starts_word && !e.tokens[2].starts_word);
    pml_encoding_deinit(&e);
    byte_fixture_deinit(&f);
}

/* ---- hostile input ------------------------------------------------------------------------------------------------
 */

/* Half a million bytes, one word of them often, in which every merge is used again and again: quadratic merging would
 * take many minutes. */
static void huge_words(void) {
    enum { N = 500000, N_DOUBLINGS = 12 };
    static const char *const fillers[] = {"a", "ab", " ", "\xff", "<m", "'s", "\xe4\xb8\xad"};
    byte_fixture f;
    pml_encoding e = {0};
    pml_error error;
    byte_fixture_begin(&f);
    uint32_t id = 'a';
    for (unsigned i = 0; i < N_DOUBLINGS; i++) {
        id = byte_fixture_merge(&f, id, id);
    }
    (void)byte_fixture_merge(&f, 'a', 'b');
    (void)byte_fixture_merge(&f, 'b', 'a');
    (void)byte_fixture_special(&f, "<m>", true);
    CU_ASSERT_TRUE_FATAL(byte_fixture_make(&f));
    char *text = malloc(N);
    for (size_t k = 0; k < sizeof fillers / sizeof fillers[0]; k++) {
        const size_t length = strlen(fillers[k]);
        for (size_t i = 0; i < N; i++) {
            text[i] = fillers[k][i % length];
        }
        PML_ASSERT_OK(pml_tokenizer_run(f.tokenizer, text, N, NULL, 0, NULL, &e, &error), &error);
        CU_ASSERT_TRUE(e.count > 0 && e.tokens[0].start_bytes == 0 && e.tokens[e.count - 1].end_bytes == N);
        if (k == 0) { /* 122 tokens of 4096, then the binary digits of what is left */
            CU_ASSERT_EQUAL(e.count, N / 4096 + (size_t)__builtin_popcount(N % 4096));
            CU_ASSERT_EQUAL(e.tokens[0].id, id);
        }
    }
    free(text);
    pml_encoding_deinit(&e);
    byte_fixture_deinit(&f);
}

static size_t count_runs(const uint8_t *blob, size_t size_bytes) {
    pml_tokenizer *tokenizer = NULL;
    pml_encoding e = {0};
    pml_error error;
    size_t n = 0;
    if (pml_tokenizer_create(blob, size_bytes, &tokenizer, &error) == PML_OK) {
        CU_ASSERT_EQUAL(pml_tokenizer_run(tokenizer, "the \xff<m> thethe", 14, "a", 1, NULL, &e, &error), PML_OK);
        for (size_t i = 0; i < e.count; i++) {
            uint8_t bytes[1024];
            CU_ASSERT_TRUE(e.tokens[i].id < pml_tokenizer_get_spec(tokenizer)->n_tokens);
            CU_ASSERT_TRUE(pml_tokenizer_decode(tokenizer, e.tokens[i].id, bytes) <= sizeof bytes);
        }
        n = 1;
    } else {
        CU_ASSERT_PTR_NULL(tokenizer);
    }
    pml_encoding_deinit(&e);
    pml_tokenizer_destroy(tokenizer);
    return n;
}

/* Every byte of a blob changed in several ways, and every beginning of it: an error or a usable tokenizer. */
static void hostile_blobs(void) {
    static const uint8_t changes[] = {0x00, 0xff, 0x01, 0x80, 0x7f};
    byte_fixture f;
    uint32_t ids[5];
    pml_error error;
    describe(&f, ids);
    CU_ASSERT_TRUE_FATAL(byte_fixture_make(&f));
    uint8_t *copy = malloc(f.size_bytes);
    size_t n_usable = 0;
    for (size_t i = 0; i < f.size_bytes; i++) {
        for (size_t k = 0; k < sizeof changes; k++) {
            memcpy(copy, f.bytes, f.size_bytes);
            copy[i] = k == 2 ? (uint8_t)(copy[i] + 1) : changes[k];
            n_usable += count_runs(copy, f.size_bytes);
        }
    }
    CU_ASSERT_TRUE(n_usable > 0);
    free(copy);
    for (size_t n = 0; n < f.size_bytes; n++) {
        pml_tokenizer *tokenizer = NULL;
        uint8_t *cut = malloc(n + 1);
        memcpy(cut, f.bytes, n);
        PML_ASSERT_FAILS(pml_tokenizer_create(cut, n, &tokenizer, &error), PML_E_FORMAT, &error,
                         n < HEADER_BYTES ? "header" : "add up");
        free(cut);
    }
    byte_fixture_deinit(&f);
}

static void impossible_descriptions(void) {
    byte_fixture f;
    uint32_t ids[5];
    describe(&f, ids);
    CU_ASSERT_TRUE_FATAL(byte_fixture_make(&f));
    const size_t merges_at = HEADER_BYTES + 4 * (size_t)f.spec.n_tokens + 8 * (size_t)f.spec.n_added + 3 * 12;
    const struct {
        size_t offset;
        uint32_t value;
        pml_status status;
        const char *part;
    } cases[] = {{4, 3, PML_E_UNSUPPORTED, "model 3"},
                 {8, 1, PML_E_UNSUPPORTED, "flags"},
                 {8, 32, PML_E_UNSUPPORTED, "flags"},
                 {16, 4, PML_E_FORMAT, "add up"},
                 {16, 0xffffffff, PML_E_FORMAT, "add up"},
                 {20, 9999, PML_E_FORMAT, "unknown token"},
                 {24, 9999, PML_E_FORMAT, "bos"},
                 {28, 9999, PML_E_FORMAT, "eos"},
                 {32, 9999, PML_E_FORMAT, "pad"},
                 {36, 9999, PML_E_FORMAT, "mask"},
                 {52, 1, PML_E_FORMAT, "add up"},
                 {merges_at, 9999, PML_E_FORMAT, "merge 0 has ids 9999"},
                 {merges_at + 4, 9999, PML_E_FORMAT, "merge 0 has ids"},
                 {merges_at + 8, 9999, PML_E_FORMAT, "merge 0 has ids"},
                 {merges_at, 'x', PML_E_FORMAT, "merge 0 does not make the text"},
                 {merges_at + 8, 'x', PML_E_FORMAT, "merge 0 does not make the text"}};
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
    byte_fixture_deinit(&f);
    describe(&f, ids);
    f.merges[f.spec.n_merges++] = f.merges[0];
    pml_error error;
    PML_ASSERT_OK(pml_tokenizer_pack(&f.spec, &f.bytes, &f.size_bytes, &error), &error);
    PML_ASSERT_FAILS(pml_tokenizer_create(f.bytes, f.size_bytes, &f.tokenizer, &error), PML_E_FORMAT, &error,
                     "of one pair");
    byte_fixture_deinit(&f);
}

static void every_failing_allocation(void) {
    byte_fixture f;
    uint32_t ids[5];
    bool is_done = false;
    describe(&f, ids);
    CU_ASSERT_TRUE_FATAL(byte_fixture_make(&f));
    for (unsigned long n = 1; n < 1000 && !is_done; n++) {
        pml_tokenizer *tokenizer = NULL;
        pml_encoding e = {0};
        pml_error error;
        pml_test_fail_allocation(n, true);
        pml_status status = pml_tokenizer_create(f.bytes, f.size_bytes, &tokenizer, &error);
        if (status == PML_OK) {
            status = pml_tokenizer_run(tokenizer, "the\xff<m>the the the", 17, "a", 1, NULL, &e, &error);
        }
        pml_test_fail_allocation(0, false);
        CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
        is_done = status == PML_OK;
        pml_encoding_deinit(&e);
        pml_tokenizer_destroy(tokenizer);
    }
    CU_ASSERT_TRUE(is_done);
    byte_fixture_deinit(&f);
}

PML_TESTS("runtime/text/byte_level", PML_TEST(where_the_pattern_splits), PML_TEST(merges_as_defined),
          PML_TEST(ranges_are_bytes_of_the_text), PML_TEST(tokens_stand_for_bytes), PML_TEST(limits),
          PML_TEST(huge_words), PML_TEST(hostile_blobs), PML_TEST(impossible_descriptions),
          PML_TEST(every_failing_allocation))
