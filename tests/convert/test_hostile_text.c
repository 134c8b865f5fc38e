/* Golden files of tokenizers and sentence modules beside a checkpoint of BERT: each converts, or is refused by name. */
#include "tests/convert/hostile_fixture.h"

/* What a folder of tests/goldens/text stands for. */
static const struct {
    const char *folder, *file;
} roles[] = {{"vocab", "vocab.txt"},
             {"tokenizer", "tokenizer.json"},
             {"tokenizer_config", "tokenizer_config.json"},
             {"special_tokens_map", "special_tokens_map.json"},
             {"added_tokens", "added_tokens.json"},
             {"modules", "modules.json"},
             {"pooling", "1_Pooling/config.json"},
             {"sentence", "sentence_bert_config.json"}};
enum { N_ROLES = sizeof roles / sizeof roles[0] };

/* The golden sentence encoder with a vocabulary of eight words as vocab.txt, and no other file of a tokenizer. */
static const char *repository(void) {
    static const char words[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n##s\n";
    static const char *path;
    if (path == NULL) {
        path = test_copy_case("bert/sentence-transformer", "repository");
        CU_ASSERT_PTR_NOT_NULL_FATAL(path);
        CU_ASSERT_EQUAL(pml_test_command(NULL, "rm '%s'/tokenizer*.json", path), 0);
        pml_test_write_file(pml_test_path("%s/vocab.txt", path), words, strlen(words));
    }
    return path;
}

/* Converts the repository with that file in the place of `role`, and leaves the repository as it was. */
static void check_file(const char *golden, size_t role, const char *status, const char *part) {
    const char *out = pml_test_path("%s/x.pml", output_folder());
    const char *target = pml_test_path("%s/%s", repository(), roles[role].file), *kept = temporary("kept");
    const char *const convert[] = {"pml-convert", repository(), "-o", out, "-q", NULL};
    const bool replaces = file_bytes(target) > 0;
    if (replaces) {
        CU_ASSERT_EQUAL_FATAL(rename(target, kept), 0);
    }
    size_t size_bytes;
    unsigned char *bytes = pml_test_read_file(golden, &size_bytes);
    pml_test_write_file(target, bytes, size_bytes);
    free(bytes);
    if (strcmp(status, "ok") == 0) {
        const outcome o = finish(start(convert, 256 * (size_t)MIB));
        if (o.code != 0) {
            (void)printf("\n    %s: exit %d: %s", golden, o.code, o.err);
        }
        CU_ASSERT_EQUAL(o.code, 0);
        CU_ASSERT_EQUAL(unlink(out), 0);
    } else {
        (void)refused(convert, size_bytes, exit_code_of(status), roles[role].file, part);
    }
    CU_ASSERT_EQUAL(unlink(target), 0);
    if (replaces) {
        CU_ASSERT_EQUAL_FATAL(rename(kept, target), 0);
    }
}

static size_t find_role(const char *path) {
    for (size_t i = 0; i < N_ROLES; i++) {
        const size_t n = strlen(roles[i].folder);
        if (strncmp(path, roles[i].folder, n) == 0 && path[n] == '/') {
            return i;
        }
    }
    (void)printf("\n    no role: %s\n", path);
    CU_FAIL_FATAL("role");
    return 0;
}

static void every_golden_file_is_judged(void) {
    const char *folder = pml_test_path("%s/tests/goldens/text", pml_test_source_dir());
    size_t size_bytes, n_of_role[N_ROLES] = {0};
    char *manifest = (char *)pml_test_read_file(pml_test_path("%s/manifest.tsv", folder), &size_bytes),
         *rest = manifest;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && line[0] != '\0';) {
        const char *path = strsep(&line, "\t"), *status = strsep(&line, "\t");
        const size_t role = find_role(path);
        CU_ASSERT_PTR_NOT_NULL_FATAL(line);
        check_file(pml_test_path("%s/%s", folder, path), role, status, line);
        n_of_role[role]++;
    }
    free(manifest);
    for (size_t i = 0; i < N_ROLES; i++) { /* the manifest lists every file */
        CU_ASSERT_TRUE(n_of_role[i] > 0);
        CU_ASSERT_EQUAL(n_of_role[i], pml_test_count_files(pml_test_path("%s/%s", folder, roles[i].folder)));
    }
}

/* Too large to be kept as files: `begin`, then `piece` until it has `size_bytes`, then `end`. */
static void check_large(size_t role, const char *begin, const char *piece, const char *end, size_t size_bytes,
                        const char *status, const char *part) {
    const char *path = temporary("large");
    FILE *stream = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    (void)fputs(begin, stream);
    for (unsigned i = 0; (size_t)ftell(stream) < size_bytes; i++) {
        const char *number = strstr(piece, "%x");
        if (number == NULL) {
            (void)fputs(piece, stream);
        } else {
            (void)fprintf(stream, "%.*s%x%s", (int)(number - piece), piece, i, number + 2);
        }
    }
    (void)fputs(end, stream);
    CU_ASSERT_EQUAL_FATAL(fclose(stream), 0);
    check_file(path, role, status, part);
    CU_ASSERT_EQUAL(unlink(path), 0);
}

static void large_files_cost_little(void) {
    enum { VOCAB, TOKENIZER, CONFIG, MAP, ADDED, MODULES, POOLING, SENTENCE };
    static const struct {
        size_t role;
        const char *begin, *piece, *end, *status, *part;
    } rows[] = {
        {VOCAB, "[UNK]\n[CLS]\n[SEP]\n", "x", "\n", "format", "token 3 has more than 65535 bytes"},
        {VOCAB, "", "\n", "", "format", "token '' is there twice"},
        {VOCAB, "[UNK]\n[CLS]\n[SEP]\n", "%x\n", "", "config", "tokens, but the model has room for 113"},
        {VOCAB, "", "\r\r", "", "format", "token '' is there twice"},
        {TOKENIZER, "{\"x\":\"", "x", "\"}", "format", "tokenizer.json:1:"},
        {TOKENIZER, "", "[", "", "format", "nested too deep"},
        {TOKENIZER, "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"\":0", ",\"%x\":1", "}}}", "unsupported",
         "pre_tokenizer"},
        {TOKENIZER, "{\"added_tokens\":[{\"id\":0,\"content\":\"a\"}", ",{\"id\":0,\"content\":\"a\"}", "]}",
         "unsupported", "model"},
        {TOKENIZER, "{\"model\":0", ",\"%x\":0", "}", "format", "model: expected an object"},
        {TOKENIZER, "{\"post_processor\":{\"single\":[{\"Sequence\":{\"id\":\"A\"}}", ",{\"Sequence\":{\"id\":\"A\"}}",
         "]}}", "format", "the template has too many items"},
        {CONFIG, "{\"x\":[0", ",0", "],\"do_lower_case\":1}", "format", "do_lower_case"},
        {CONFIG, "{\"added_tokens_decoder\":{\"x\":0", ",\"%xx\":0", "}}", "format", "has no id or content"},
        {MAP, "{\"x\":0", ",\"%xx\":0", ",\"cls_token\":0}", "format", "cls_token"},
        {ADDED, "{\"x\":0", ",\"%xx\":0", "}", "format", "one id, 0"},
        {MODULES, "[7", ",7", "]", "config", "'type' must be a text"},
        {POOLING, "{\"a\":0", ",\"pooling_mode_%x\":false", "}", "config", "no pooling mode is true"},
        {SENTENCE, "{\"x\":0", ",\"%xx\":0", ",\"max_seq_length\":0}", "config", "max_seq_length"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_large(rows[i].role, rows[i].begin, rows[i].piece, rows[i].end, MIB, rows[i].status, rows[i].part);
    }
}

PML_TESTS("convert/hostile_text", PML_TEST(every_golden_file_is_judged), PML_TEST(large_files_cost_little))
