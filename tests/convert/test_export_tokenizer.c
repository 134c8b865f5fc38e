/* Tokenizers as files again: reading them gives the same blob. */
#include <string.h>

#include "convert/export/export_files.h"
#include "convert/tokenizer_state.h"
#include "runtime/file/writer.h"
#include "runtime/text/tokenizer.h"
#include "tests/harness.h"

static pml_metadata *vocabulary_of(int64_t size) {
    pml_metadata *config = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_metadata_create(&config, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64(config, "config.vocab_size", size, &error), &error);
    return config;
}

static bool read_folder(const char *path, pml_tokenizer_state *state) {
    pml_error error;
    pml_folder *folder = NULL;
    pml_metadata *config = vocabulary_of(PML_MAX_VOCABULARY);
    *state = (pml_tokenizer_state){0};
    PML_ASSERT_OK(pml_folder_create(path, &folder, &error), &error);
    PML_ASSERT_OK(pml_tokenizer_state_read(folder, config, state, &error), &error);
    pml_folder_close(folder);
    pml_metadata_destroy(config);
    return state->bytes != NULL;
}

/* A file with that tokenizer and nothing else. */
static pml_file *file_with(const void *bytes, size_t size_bytes) {
    const char *path = pml_test_path("%s/tokenizer.pml", pml_test_temporary_dir());
    pml_error error;
    pml_writer *writer = NULL;
    pml_file *file = NULL;
    pml_metadata *config = vocabulary_of(1);
    PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
    PML_ASSERT_OK(pml_writer_set_metadata(writer, config, &error), &error);
    PML_ASSERT_OK(pml_writer_add_blob(writer, PML_TOKENIZER_BLOB, bytes, size_bytes, &error), &error);
    PML_ASSERT_OK(pml_writer_begin(writer, path, true, &error), &error);
    PML_ASSERT_OK(pml_writer_finish(writer, &error), &error);
    PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
    pml_writer_destroy(writer);
    pml_metadata_destroy(config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    return file;
}

/* Writes the tokenizer's files into a fresh folder, but not `without`; returns it. */
static const char *write_folder(const pml_file *file, const char *name, const char *without) {
    const char *folder = pml_test_fresh_dir(name);
    const pml_export_subject subject = {.file = file};
    for (const pml_export_file *kind = pml_export_files; kind->write != NULL; kind++) {
        const bool is_ours =
            kind->name != NULL && (strstr(kind->name, "token") != NULL || strncmp(kind->name, "vocab", 5) == 0 ||
                                   strcmp(kind->name, "merges.txt") == 0);
        char *text = NULL;
        size_t size_bytes = 0;
        pml_error error;
        if (!is_ours || !kind->exists(&subject) || (without != NULL && strcmp(kind->name, without) == 0)) {
            continue;
        }
        FILE *stream = open_memstream(&text, &size_bytes);
        if (stream == NULL) {
            abort();
        }
        PML_ASSERT_OK(kind->write(&subject, stream, &error), &error);
        (void)fclose(stream);
        pml_test_write_file(pml_test_path("%s/%s", folder, kind->name), text, size_bytes);
        free(text);
    }
    return folder;
}

static void compare(const pml_tokenizer_state *before, const char *folder) {
    pml_tokenizer_state after;
    CU_ASSERT_TRUE_FATAL(read_folder(folder, &after));
    CU_ASSERT_EQUAL(after.size_bytes, before->size_bytes);
    CU_ASSERT_TRUE(after.size_bytes == before->size_bytes && memcmp(after.bytes, before->bytes, after.size_bytes) == 0);
    pml_tokenizer_state_deinit(&after);
}

/* `has_old_form`: the vocabulary alone, without tokenizer.json, says as much. */
static void there_and_back(const char *source, size_t n_files, bool has_old_form) {
    static unsigned n_calls;
    pml_tokenizer_state before;
    n_calls++;
    CU_ASSERT_TRUE_FATAL(read_folder(source, &before));
    pml_file *file = file_with(before.bytes, before.size_bytes);
    const char *folder = write_folder(file, pml_test_path("new-%u", n_calls), NULL);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), n_files);
    compare(&before, folder);
    if (has_old_form) {
        compare(&before, write_folder(file, pml_test_path("old-%u", n_calls), "tokenizer.json"));
    }
    pml_file_close(file);
    pml_tokenizer_state_deinit(&before);
}

static void golden(const char *name, size_t n_files, bool has_old_form) {
    const char *source = pml_test_golden(name);
    if (source == NULL) {
        pml_test_skip(name);
        return;
    }
    there_and_back(source, n_files, has_old_form);
}

static void word_pieces(void) {
    golden("bert/model", 4, true);
    golden("bert/sentence-transformer", 4, true);
}

static void byte_pairs(void) {
    golden("tokenizers/gpt2", 5, true);
}

/* Everything that tokenizer.json can say and vocab.txt cannot. */
static void every_setting(void) {
    static const char text[] =
        "{\"added_tokens\":[{\"id\":5,\"content\":\"<new\\nline>\",\"lstrip\":true,\"rstrip\":true,\"special\":false},"
        "{\"id\":1,\"content\":\"[X]\",\"special\":true}],"
        "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":false,\"handle_chinese_chars\":false,"
        "\"strip_accents\":true,\"lowercase\":false},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
        "\"post_processor\":{\"type\":\"TemplateProcessing\","
        "\"single\":[{\"SpecialToken\":{\"id\":\"[X]\",\"type_id\":3}},{\"Sequence\":{\"id\":\"A\",\"type_id\":1}}],"
        "\"pair\":[{\"Sequence\":{\"id\":\"B\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"[X]\",\"type_id\":0}},"
        "{\"Sequence\":{\"id\":\"A\",\"type_id\":2}},{\"SpecialToken\":{\"id\":\"a\",\"type_id\":0}}]},"
        "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[U]\",\"continuing_subword_prefix\":\"@@\","
        "\"max_input_chars_per_word\":7,\"vocab\":{\"[U]\":0,\"[X]\":1,\"a\":2,\"@@b\":3,\"\\u00e9\\\"\\\\\":4}}}";
    static const char config[] = "{\"model_max_length\":99,\"mask_token\":\"a\"}";
    const char *source = pml_test_fresh_dir("settings");
    pml_test_write_file(pml_test_path("%s/tokenizer.json", source), text, strlen(text));
    pml_test_write_file(pml_test_path("%s/tokenizer_config.json", source), config, strlen(config));
    there_and_back(source, 3, false); /* no vocab.txt: a token has two lines */
}

PML_TESTS("convert/export/tokenizer", PML_TEST(word_pieces), PML_TEST(byte_pairs), PML_TEST(every_setting))
