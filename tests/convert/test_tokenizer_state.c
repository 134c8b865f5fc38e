/* Tokenizer files of repositories: both kinds give one blob; what the files decide. Files that are refused are golden
 * ones (test_hostile_text.c). */
#include "convert/tokenizer_state.h"

#include <string.h>
#include <sys/stat.h>

#include "runtime/text/tokenizer.h"
#include "tests/harness.h"

#define VOCABULARY "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n##s\n"
#define VOCABULARY_JSON "{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,\"the\":5,\"cat\":6,\"##s\":7}"
#define NORMALIZER                                                                                                     \
    "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,\"strip_accents\":null,"           \
    "\"lowercase\":true}"
#define TEMPLATE                                                                                                       \
    "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},{\"Sequence\":"  \
    "{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}}],\"pair\":[{\"SpecialToken\":"  \
    "{\"id\":\"[CLS]\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"[SEP]"  \
    "\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}},{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":"  \
    "1}}],\"special_tokens\":{}}"
#define GOOD                                                                                                           \
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[],\"normalizer\":" NORMALIZER         \
    ",\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"post_processor\":" TEMPLATE                                  \
    ",\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},\"model\":{\"type\":\"WordPiece\","      \
    "\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,"                   \
    "\"vocab\":" VOCABULARY_JSON "}}"

static unsigned n_folders;

/* A fresh folder with the given files, of which the text may be NULL. */
static const char *folder(const char *vocabulary, size_t vocabulary_bytes, const char *json, const char *config) {
    const char *path = pml_test_path("%s/repository-%u", pml_test_temporary_dir(), n_folders++);
    CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    if (vocabulary != NULL) {
        pml_test_write_file(pml_test_path("%s/vocab.txt", path), vocabulary, vocabulary_bytes);
    }
    if (json != NULL) {
        pml_test_write_file(pml_test_path("%s/tokenizer.json", path), json, strlen(json));
    }
    if (config != NULL) {
        pml_test_write_file(pml_test_path("%s/tokenizer_config.json", path), config, strlen(config));
    }
    return path;
}

static pml_metadata *model_of(int64_t vocab_size) {
    pml_metadata *metadata = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_metadata_create(&metadata, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64(metadata, "config.vocab_size", vocab_size, &error), &error);
    return metadata;
}

static pml_status read_for(const char *directory, const pml_metadata *metadata, pml_tokenizer_state *state,
                           pml_error *error) {
    pml_status status = PML_OK;
    pml_folder *folder = NULL;
    *state = (pml_tokenizer_state){0};
    PML_TRY(pml_folder_create(directory, &folder, error));
    PML_TRY(pml_tokenizer_state_read(folder, metadata, state, error));
done:
    pml_folder_close(folder);
    return status;
}

static pml_status read_state(const char *directory, int64_t vocab_size, pml_tokenizer_state *state, pml_error *error) {
    pml_metadata *metadata = model_of(vocab_size);
    const pml_status status = read_for(directory, metadata, state, error);
    pml_metadata_destroy(metadata);
    return status;
}

static void both_kinds_give_one_blob(void) {
    pml_tokenizer_state text, json;
    pml_error error;
    PML_ASSERT_OK(read_state(folder(VOCABULARY, strlen(VOCABULARY), NULL, NULL), 8, &text, &error), &error);
    PML_ASSERT_OK(read_state(folder(NULL, 0, GOOD, NULL), 100, &json, &error), &error);
    CU_ASSERT_EQUAL_FATAL(text.size_bytes, json.size_bytes);
    CU_ASSERT_EQUAL(memcmp(text.bytes, json.bytes, text.size_bytes), 0);
    CU_ASSERT_EQUAL(text.n_files, 1);
    CU_ASSERT_STRING_EQUAL(text.files[0].name, "vocab.txt");
    CU_ASSERT_STRING_EQUAL(json.files[0].name, "tokenizer.json");
    pml_tokenizer_state_deinit(&text);
    pml_tokenizer_state_deinit(&json);
}

static void line_ends_of_every_system(void) {
    static const char crlf[] = "[PAD]\r\n[UNK]\r[CLS]\n[SEP]\r\n[MASK]\r\nthe\r\ncat\r\n##s";
    pml_tokenizer_state unix_state, other;
    pml_error error;
    PML_ASSERT_OK(read_state(folder(VOCABULARY, strlen(VOCABULARY), NULL, NULL), 8, &unix_state, &error), &error);
    PML_ASSERT_OK(read_state(folder(crlf, strlen(crlf), NULL, NULL), 8, &other, &error), &error);
    CU_ASSERT_EQUAL_FATAL(unix_state.size_bytes, other.size_bytes);
    CU_ASSERT_EQUAL(memcmp(unix_state.bytes, other.bytes, other.size_bytes), 0);
    pml_tokenizer_state_deinit(&unix_state);
    pml_tokenizer_state_deinit(&other);
}

static void no_tokenizer_is_no_error(void) {
    pml_tokenizer_state state = {0};
    pml_metadata *metadata = NULL;
    pml_error error;
    PML_ASSERT_OK(read_state(folder(NULL, 0, NULL, "{}"), 8, &state, &error), &error);
    CU_ASSERT_PTR_NULL(state.bytes);
    CU_ASSERT_EQUAL(state.n_files, 0);
    PML_ASSERT_OK(pml_metadata_create(&metadata, &error), &error);
    PML_ASSERT_OK(read_for(folder("x", 1, NULL, NULL), metadata, &state, &error), &error);
    CU_ASSERT_PTR_NULL(state.bytes); /* a model without a vocabulary reads no vocabulary */
    pml_metadata_destroy(metadata);
    pml_tokenizer_state_deinit(&state);
}

static void config_decides_flags_and_special_tokens(void) {
    static const char config[] = "{\"do_lower_case\":false,\"strip_accents\":null,\"tokenize_chinese_chars\":false,"
                                 "\"model_max_length\":64,\"cls_token\":{\"content\":\"the\"},\"mask_token\":\"cat\"}";
    pml_tokenizer_state state;
    pml_tokenizer *tokenizer = NULL;
    pml_error error;
    PML_ASSERT_OK(read_state(folder(VOCABULARY, strlen(VOCABULARY), NULL, config), 8, &state, &error), &error);
    PML_ASSERT_OK(pml_tokenizer_create(state.bytes, state.size_bytes, &tokenizer, &error), &error);
    const pml_tokenizer_spec *spec = pml_tokenizer_get_spec(tokenizer);
    CU_ASSERT_FALSE(spec->lowercase);
    CU_ASSERT_FALSE(spec->strip_accents);
    CU_ASSERT_FALSE(spec->handle_chinese);
    CU_ASSERT_TRUE(spec->clean_text);
    CU_ASSERT_EQUAL(spec->max_tokens, 64);
    CU_ASSERT_EQUAL(spec->cls_id, 5);
    CU_ASSERT_EQUAL(spec->mask_id, 6);
    CU_ASSERT_EQUAL(spec->single[0].id, 5);
    CU_ASSERT_EQUAL(state.n_files, 2);
    pml_tokenizer_destroy(tokenizer);
    pml_tokenizer_state_deinit(&state);
}

static void added_tokens_extend_the_vocabulary(void) {
    static const char config[] = "{\"added_tokens_decoder\":{\"8\":{\"content\":\"<new>\",\"special\":true}}}";
    pml_tokenizer_state state;
    pml_tokenizer *tokenizer = NULL;
    pml_error error;
    const char *path = folder(VOCABULARY, strlen(VOCABULARY), NULL, config);
    PML_ASSERT_FAILS(read_state(path, 8, &state, &error), PML_E_CONFIG, &error, "9 tokens");
    pml_tokenizer_state_deinit(&state);
    PML_ASSERT_OK(read_state(path, 9, &state, &error), &error);
    PML_ASSERT_OK(pml_tokenizer_create(state.bytes, state.size_bytes, &tokenizer, &error), &error);
    CU_ASSERT_EQUAL(pml_tokenizer_find(tokenizer, "<new>", 5), 8);
    pml_encoding encoding = {0};
    PML_ASSERT_OK(pml_tokenizer_run(tokenizer, "cat<new>cats", 12, NULL, 0, NULL, &encoding, &error), &error);
    CU_ASSERT_EQUAL_FATAL(encoding.count, 6);
    CU_ASSERT_TRUE(encoding.tokens[1].id == 6 && encoding.tokens[2].id == 8 && encoding.tokens[4].id == 7);
    pml_encoding_deinit(&encoding);
    pml_tokenizer_destroy(tokenizer);
    pml_tokenizer_state_deinit(&state);
}

static void every_failing_allocation_is_reported(void) {
    const char *paths[2] = {folder(VOCABULARY, strlen(VOCABULARY), NULL, "{\"cls_token\":\"[CLS]\"}"),
                            folder(NULL, 0, GOOD, NULL)};
    pml_metadata *metadata = model_of(8);
    for (size_t i = 0; i < 2; i++) {
        bool done = false;
        pml_folder *opened = NULL;
        PML_ASSERT_OK(pml_folder_create(paths[i], &opened, NULL), NULL);
        for (unsigned long n = 1; n < 10000 && !done; n++) {
            pml_tokenizer_state state = {0};
            pml_error error;
            pml_test_fail_allocation(n, true);
            const pml_status status = pml_tokenizer_state_read(opened, metadata, &state, &error);
            pml_test_fail_allocation(0, false);
            CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
            done = status == PML_OK;
            pml_tokenizer_state_deinit(&state);
        }
        CU_ASSERT_TRUE(done);
        pml_folder_close(opened);
    }
    pml_metadata_destroy(metadata);
}

PML_TESTS("convert/tokenizer_state", PML_TEST(both_kinds_give_one_blob), PML_TEST(line_ends_of_every_system),
          PML_TEST(no_tokenizer_is_no_error), PML_TEST(config_decides_flags_and_special_tokens),
          PML_TEST(added_tokens_extend_the_vocabulary), PML_TEST(every_failing_allocation_is_reported))
