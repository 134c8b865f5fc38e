/* Byte-level BPE of GPT-2 from the files of repositories: the recorded vectors, id by id; both kinds of files; what
 * tokenizer_config.json decides. Files that are refused are golden ones (test_hostile_text.c). */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/tokenizer_state.h"
#include "runtime/base/alloc.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/utf8_stream.h"
#include "tests/harness.h"
#include "tests/runtime/text/golden_lines.h"

typedef struct loaded {
    pml_tokenizer_state state;
    pml_tokenizer *tokenizer;
    pml_encoding encoding;
} loaded;

static pml_status read_for(const char *directory, int64_t vocab_size, pml_tokenizer_state *state, pml_error *error) {
    pml_status status = PML_OK;
    pml_folder *folder = NULL;
    pml_metadata *metadata = NULL;
    *state = (pml_tokenizer_state){0};
    PML_TRY(pml_metadata_create(&metadata, error));
    PML_TRY(pml_metadata_set_i64(metadata, "config.vocab_size", vocab_size, error));
    PML_TRY(pml_folder_create(directory, &folder, error));
    PML_TRY(pml_tokenizer_state_read(folder, metadata, state, error));
done:
    pml_folder_close(folder);
    pml_metadata_destroy(metadata);
    return status;
}

static bool load(loaded *l, const char *directory, int64_t vocab_size) {
    pml_error error;
    *l = (loaded){0};
    return pml_test_ok(read_for(directory, vocab_size, &l->state, &error), &error, __FILE__, __LINE__) &&
           pml_test_ok(pml_tokenizer_create(l->state.bytes, l->state.size_bytes, &l->tokenizer, &error), &error,
                       __FILE__, __LINE__);
}

static void unload(loaded *l) {
    pml_tokenizer_destroy(l->tokenizer);
    pml_tokenizer_state_deinit(&l->state);
    pml_encoding_deinit(&l->encoding);
}

static bool encode(loaded *l, const char *text, size_t text_bytes) {
    pml_error error;
    return pml_test_ok(pml_tokenizer_run(l->tokenizer, text, text_bytes, NULL, 0, NULL, &l->encoding, &error), &error,
                       __FILE__, __LINE__);
}

static bool gives(loaded *l, const char *text, size_t text_bytes, const long *ids, size_t n) {
    bool same = encode(l, text, text_bytes) && l->encoding.count == n;
    for (size_t i = 0; same && i < n; i++) {
        same = ids[i] == (long)l->encoding.tokens[i].id;
    }
    return same;
}

#define GIVES(l, text, ...)                                                                                            \
    CU_ASSERT_TRUE(gives(&(l), text, sizeof(text) - 1, (const long[]){__VA_ARGS__},                                    \
                         sizeof((const long[]){__VA_ARGS__}) / sizeof(long)))

/* What the tokens stand for, one after the other, is `text`; their ranges lie side by side in it. */
static bool decodes(loaded *l, const char *text, size_t text_bytes) {
    size_t n = 0, end = 0;
    bool same = true;
    pml_utf8_stream stream = {0};
    char *decoded = malloc(3 * text_bytes + 64), piece[PML_UTF8_STREAM_ROOM(1024)];
    for (size_t i = 0; i < l->encoding.count; i++) {
        const pml_token *token = &l->encoding.tokens[i];
        uint8_t bytes[1024];
        const size_t n_piece =
            pml_utf8_stream_put(&stream, bytes, pml_tokenizer_decode(l->tokenizer, token->id, bytes), piece);
        same = same && token->start_bytes == end && n + n_piece <= text_bytes;
        if (!same) {
            break;
        }
        memcpy(decoded + n, piece, n_piece);
        n += n_piece;
        end = token->end_bytes;
    }
    same = same && stream.n_waiting == 0 && n == text_bytes && memcmp(decoded, text, n) == 0;
    free(decoded);
    return same;
}

static void check_line(loaded *l, const char *line) {
    size_t n;
    golden_text text = golden_string(golden_value(line, "text"));
    long *ids = golden_numbers(golden_value(line, "ids"), &n);
    const char *raw_value = golden_value(line, "bytes");
    const bool same = gives(l, text.bytes, text.size_bytes, ids, n) && decodes(l, text.bytes, text.size_bytes);
    if (!same) {
        (void)fprintf(stderr, "\n    differs: %.300s\n", line);
    }
    CU_ASSERT_TRUE(same);
    if (raw_value != NULL) {
        golden_text raw = golden_bytes(raw_value);
        CU_ASSERT_TRUE(gives(l, raw.bytes, raw.size_bytes, ids, n));
        free(raw.bytes);
    }
    free(text.bytes);
    free(ids);
}

static void recorded_vectors(void) {
    const char *vectors = pml_test_golden("tokenizers/bpe.jsonl"), *folder = pml_test_golden("tokenizers/gpt2");
    loaded l;
    if (vectors == NULL || folder == NULL) {
        pml_test_skip("no recorded tokenizer vectors (PML_GOLDENS)");
        return;
    }
    CU_ASSERT_TRUE_FATAL(load(&l, folder, 50257));
    CU_ASSERT_EQUAL(l.state.n_files, 2);
    char *line = NULL;
    size_t capacity = 0, n = 0;
    FILE *file = fopen(vectors, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (getline(&line, &capacity, file) > 0) {
        check_line(&l, line);
        n++;
    }
    CU_ASSERT_EQUAL(n, 579);
    (void)fclose(file);
    free(line);
    unload(&l);
}

/* The class of every code point of the recorded table, and no other one; surrogates are no characters. */
static void recorded_classes(void) {
    const char *path = pml_test_golden("tokenizers/bpe-classes.txt");
    if (path == NULL) {
        pml_test_skip("no recorded classes (PML_GOLDENS)");
        return;
    }
    static const char *const names[] = {"other", "letter", "number", "space"};
    uint32_t next = 0, first, last, n_wrong = 0;
    char line[256], name[16];
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%x..%x %15s", &first, &last, name) == 3 && strcmp(name, "surrogate") != 0) {
            for (; next < first; next++) {
                n_wrong += pml_unicode_split_class(next) != PML_SPLIT_OTHER;
            }
            for (; next <= last; next++) {
                n_wrong += strcmp(names[pml_unicode_split_class(next)], name) != 0;
            }
        }
    }
    for (; next <= 0x10ffff; next++) {
        n_wrong += pml_unicode_split_class(next) != PML_SPLIT_OTHER;
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
    CU_ASSERT_TRUE(last > 0x10000);
    (void)fclose(file);
}

/* ---- small repositories -------------------------------------------------------------------------------------------
 */

#define VOCABULARY                                                                                                     \
    "{\"a\":0,\"b\":1,\"\\u0120\":2,\"c\":3,\"ab\":4,\"\\u0120ab\":5,\"abc\":6,\"<|endoftext|>\":7,\"bc\":8}"
#define MERGES "#version: 0.2\na b\n\xc4\xa0 ab\nab c\nb c\n"
#define DOCUMENT(merges, extra)                                                                                        \
    "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":7,\"content\":\"<|endoftext|>\",\"single_word\":false,"            \
    "\"lstrip\":false,\"rstrip\":false,\"normalized\":true,\"special\":true}],\"normalizer\":null,\"pre_tokenizer\":"  \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true},\"post_processor\":{\"type\":"          \
    "\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":false},\"decoder\":{\"type\":\"ByteLevel\"},\"model\":"  \
    "{" extra "\"dropout\":null,\"unk_token\":null,\"continuing_subword_prefix\":\"\",\"end_of_word_suffix\":\"\","    \
    "\"fuse_unk\":false,\"vocab\":" VOCABULARY ",\"merges\":" merges "}}"
#define TEXTS "[\"a b\",\"\xc4\xa0 ab\",\"ab c\",\"b c\"]"
#define PAIRS "[[\"a\",\"b\"],[\"\xc4\xa0\",\"ab\"],[\"ab\",\"c\"],[\"b\",\"c\"]]"

static unsigned n_folders;

static const char *folder(const char *vocabulary, const char *merges, const char *json, const char *config) {
    const char *path = pml_test_path("%s/repository-%u", pml_test_temporary_dir(), n_folders++);
    const char *const names[] = {"vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json"};
    const char *const texts[] = {vocabulary, merges, json, config};
    CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    for (size_t i = 0; i < 4; i++) {
        if (texts[i] != NULL) {
            pml_test_write_file(pml_test_path("%s/%s", path, names[i]), texts[i], strlen(texts[i]));
        }
    }
    return path;
}

static void every_kind_gives_one_blob(void) {
    const char *const folders[] = {
        folder(VOCABULARY, MERGES, NULL, NULL), folder(VOCABULARY, "a b\r\n\xc4\xa0 ab\r\nab c\r\nb c", NULL, "{}"),
        folder(NULL, NULL, DOCUMENT(TEXTS, "\"type\":\"BPE\","), NULL), folder(NULL, NULL, DOCUMENT(PAIRS, ""), NULL),
        folder(NULL, NULL, DOCUMENT(PAIRS, ""), "{\"add_bos_token\":false}")};
    loaded first;
    CU_ASSERT_TRUE_FATAL(load(&first, folders[0], 9));
    GIVES(first, "abc ab<|endoftext|>bcb", 6, 5, 7, 8, 1);
    for (size_t i = 1; i < sizeof folders / sizeof folders[0]; i++) {
        loaded other;
        CU_ASSERT_TRUE_FATAL(load(&other, folders[i], 20));
        CU_ASSERT_EQUAL_FATAL(first.state.size_bytes, other.state.size_bytes);
        CU_ASSERT_EQUAL(memcmp(first.state.bytes, other.state.bytes, other.state.size_bytes), 0);
        unload(&other);
    }
    unload(&first);
}

static void config_decides(void) {
    loaded l;
    CU_ASSERT_TRUE_FATAL(load(&l, folder(VOCABULARY, MERGES, NULL, "{\"add_prefix_space\":true}"), 9));
    GIVES(l, "ab", 5);
    GIVES(l, " ab", 5);
    GIVES(l, "ab<|endoftext|>ab", 5, 7, 5);
    unload(&l);
    CU_ASSERT_TRUE_FATAL(
        load(&l, folder(VOCABULARY, MERGES, NULL, "{\"add_bos_token\":true,\"bos_token\":\"abc\"}"), 9));
    GIVES(l, "a", 6, 0);
    CU_ASSERT_EQUAL(pml_tokenizer_get_spec(l.tokenizer)->bos_id, 6);
    CU_ASSERT_EQUAL(pml_tokenizer_get_spec(l.tokenizer)->eos_id, 7);
    CU_ASSERT_EQUAL(pml_tokenizer_get_spec(l.tokenizer)->pad_id, PML_NO_TOKEN);
    pml_error error;
    PML_ASSERT_OK(pml_tokenizer_run(l.tokenizer, "a", 1, "b", 1, NULL, &l.encoding, &error), &error);
    CU_ASSERT_EQUAL_FATAL(l.encoding.count, 4);
    CU_ASSERT_TRUE(l.encoding.tokens[2].id == 6 && l.encoding.tokens[2].type_id == 1);
    unload(&l);
    CU_ASSERT_TRUE_FATAL(load(
        &l, folder(VOCABULARY, MERGES, NULL, "{\"add_eos_token\":true,\"pad_token\":\"c\",\"model_max_length\":5}"),
        9));
    GIVES(l, "a", 0, 7);
    CU_ASSERT_EQUAL(pml_tokenizer_get_spec(l.tokenizer)->pad_id, 3);
    CU_ASSERT_EQUAL(pml_tokenizer_get_spec(l.tokenizer)->max_tokens, 5);
    unload(&l);
}

/* Bytes that the vocabulary lacks vanish, and what stands beside them may merge, as in the reference. */
static void bytes_without_a_token(void) {
    loaded l;
    CU_ASSERT_TRUE_FATAL(load(&l, folder(VOCABULARY, MERGES, NULL, NULL), 9));
    GIVES(l, "axb", 4);
    CU_ASSERT_TRUE(encode(&l, "xyz", 3));
    CU_ASSERT_EQUAL(l.encoding.count, 0);
    unload(&l);
    const char *json = "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"unk_token\":\"?\","
                       "\"vocab\":{\"a\":0,\"b\":1,\"?\":2,\"a?\":3},\"merges\":[\"a ?\"]}}";
    CU_ASSERT_TRUE_FATAL(load(&l, folder(NULL, NULL, json, NULL), 4));
    GIVES(l, "axb", 3, 1);
    unload(&l);
}

static void faults_name_their_file(void) {
    static const struct {
        const char *vocabulary, *merges, *config;
        pml_status status;
        const char *part;
    } rows[] = {
        {VOCABULARY, NULL, NULL, PML_E_CONFIG, "no merges.txt"},
        {VOCABULARY, "a b\nab x\n", NULL, PML_E_FORMAT, "merges.txt: the second part of merge 2, 'x'"},
        {VOCABULARY, "x a\n", NULL, PML_E_FORMAT, "the first part of merge 1, 'x', is not in the vocabulary"},
        {VOCABULARY, "a c\n", NULL, PML_E_FORMAT, "the result of merge 1, 'ac', is not in the vocabulary"},
        {VOCABULARY, "a b\nb c\na b\n", NULL, PML_E_FORMAT, "merges 1 and 3 are of the same two tokens"},
        {VOCABULARY, "a b\n\nb c\n", NULL, PML_E_FORMAT, "merges.txt: line 2: a merge is two tokens"},
        {VOCABULARY, "a b c\n", NULL, PML_E_FORMAT, "merges.txt: line 1: a merge is two tokens"},
        {VOCABULARY, "a \n", NULL, PML_E_FORMAT, "merges.txt: line 1: a merge is two tokens"},
        {VOCABULARY, " a\n", NULL, PML_E_FORMAT, "merges.txt: line 1: a merge is two tokens"},
        {VOCABULARY, "a b\n\xff b\n", NULL, PML_E_FORMAT, "merges.txt: line 2: it is not UTF-8"},
        {"[]", "", NULL, PML_E_FORMAT, "expected an object"},
        {"{}", "", NULL, PML_E_FORMAT, "it has no tokens"},
        {"{\"a\":0,\"b\":2}", "", NULL, PML_E_FORMAT, "ids have gaps"},
        {"{\"a\":0,\"b\":0}", "", NULL, PML_E_FORMAT, "one id, 0"},
        {"{\"a\":16777216}", "", NULL, PML_E_FORMAT, "expected a token id"},
        {"{\"a\":0,\"a\":1}", "", NULL, PML_E_FORMAT, "'a' stands twice"},
        {VOCABULARY, MERGES, "{\"tokenizer_class\":\"RobertaTokenizer\"}", PML_E_UNSUPPORTED, "'RobertaTokenizer'"},
        {VOCABULARY, MERGES, "{\"bos_token\":\"<s>\"}", PML_E_CONFIG, "'<s>' is not in the vocabulary"},
        {"{\"a\":0}", "", "{\"add_bos_token\":true}", PML_E_CONFIG, "'<|endoftext|>' is not in the vocabulary"},
        {VOCABULARY, MERGES, "{\"add_prefix_space\":1}", PML_E_FORMAT, "add_prefix_space is neither"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pml_tokenizer_state state;
        pml_error error;
        PML_ASSERT_FAILS(read_for(folder(rows[i].vocabulary, rows[i].merges, NULL, rows[i].config), 9, &state, &error),
                         rows[i].status, &error, rows[i].part);
        pml_tokenizer_state_deinit(&state);
    }
}

static void every_failing_allocation_is_reported(void) {
    const char *const paths[2] = {folder(VOCABULARY, MERGES, NULL, "{\"add_bos_token\":true}"),
                                  folder(NULL, NULL, DOCUMENT(PAIRS, ""), NULL)};
    for (size_t i = 0; i < 2; i++) {
        bool is_done = false;
        for (unsigned long n = 1; n < 10000 && !is_done; n++) {
            pml_tokenizer_state state;
            pml_error error;
            pml_test_fail_allocation(n, true);
            const pml_status status = read_for(paths[i], 9, &state, &error);
            pml_test_fail_allocation(0, false);
            CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
            is_done = status == PML_OK;
            pml_tokenizer_state_deinit(&state);
        }
        CU_ASSERT_TRUE(is_done);
    }
}

PML_TESTS("convert/tokenizer_bpe", PML_TEST(recorded_vectors), PML_TEST(recorded_classes),
          PML_TEST(every_kind_gives_one_blob), PML_TEST(config_decides), PML_TEST(bytes_without_a_token),
          PML_TEST(faults_name_their_file), PML_TEST(every_failing_allocation_is_reported))
