/* What inspect shows of sources and of .pml files, hostile ones included. */
#include "convert/inspect.h"
#include "runtime/base/json_reader.h"
#include "tests/convert/checkpoint.h"
#include "tests/convert/command_fixture.h"

/* The description of `path` as a string the caller frees. */
static char *describe(const char *path, bool json, bool without_tensors, size_t *size) {
    char *text = NULL;
    pml_error error = {0};
    pml_inspect_options options = {.json = json, .without_tensors = without_tensors};
    FILE *stream = open_memstream(&text, size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    PML_ASSERT_OK(pml_inspect_path(path, &options, stream, &error), &error);
    fclose(stream);
    return text;
}

static bool has_line(const char *text, const char *const *words, size_t n_words) {
    for (const char *line = text; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        size_t length = end != NULL ? (size_t)(end - line) : strlen(line), found = 0;
        const char *copy = pml_test_path("%.*s", (int)length, line);
        for (const char *at = copy; found < n_words && (at = strstr(at, words[found])) != NULL; found++) {
            at += strlen(words[found]);
        }
        if (found == n_words) {
            return true;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    return false;
}

#define HAS_LINE(text, ...)                                                                                            \
    CU_ASSERT_TRUE(has_line((text), (const char *const[]){__VA_ARGS__},                                                \
                            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

static void a_source(void) {
    static const float numbers[6] = {0};
    const char *path = pml_test_path("%s/model.safetensors", pml_test_temporary_dir());
    const test_tensor tensors[] = {
        {"alpha.weight", PML_DTYPE_F32, 2, {2, 2}, numbers},
        {"b", PML_DTYPE_BF16, 1, {3}, numbers},
        {"eight", PML_DTYPE_F8_E4M3, 1, {2}, numbers},
        {"step", PML_DTYPE_I64, 0, {0}, numbers},
    };
    test_write_safetensors(path, tensors, 4, 0);
    size_t size = 0;
    char *text = describe(path, false, false, &size);
    HAS_LINE(text, "format", "safetensors");
    HAS_LINE(text, "parameters  9"); /* the counter is none */
    HAS_LINE(text, "alpha.weight", "F32", "[2,2]", "model.safetensors", "16");
    HAS_LINE(text, "b ", "BF16", "[3]", "6");
    HAS_LINE(text, "eight", "F8_E4M3", "[2]");
    free(text);
    text = describe(pml_test_temporary_dir(), false, true, &size);
    HAS_LINE(text, "model.safetensors");
    CU_ASSERT_PTR_NULL(strstr(text, "alpha"));
    free(text);
    text = describe(path, true, false, &size);
    pml_error error = {0};
    PML_ASSERT_OK(pml_json_validate(text, size, "inspect", 4096, &error), &error);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"F8_E4M3\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"n_parameters\": 9,"));
    free(text);
}

/* No byte that a terminal obeys comes out, whatever the file calls its tensors. */
static void hostile_names(void) {
    static const float numbers[4] = {0};
    const char *path = pml_test_path("%s/hostile.safetensors", pml_test_temporary_dir());
    const test_tensor tensors[] = {
        {"\\u001b[2J\\u001b[31mred", PML_DTYPE_F32, 1, {1}, numbers},
        {"line\\nbreak\\ttab", PML_DTYPE_F32, 1, {1}, numbers},
        {"mark\\u202ednuora", PML_DTYPE_F32, 1, {1}, numbers},
        {"c1\\u009b31m", PML_DTYPE_F32, 1, {1}, numbers},
    };
    test_write_safetensors(path, tensors, 4, 0);
    char *output = NULL;
    int code = test_convert(&output, "inspect '%s'", path);
    for (const char *c = output; *c != '\0'; c++) {
        CU_ASSERT_TRUE_FATAL(*c == '\n' || ((unsigned char)*c >= 0x20 && *c != 0x7F));
    }
    CU_ASSERT_PTR_NULL(strstr(output, "\xE2\x80\xAE"));
    CU_ASSERT_PTR_NULL(strstr(output, "\xC2\x9B"));
    if (code == 0) { /* a provider may refuse such names altogether; then the message must be clean, as tested above */
        CU_ASSERT_PTR_NOT_NULL(strstr(output, "\\x1B[2J\\x1B[31mred"));
        CU_ASSERT_PTR_NOT_NULL(strstr(output, "line\\nbreak\\ttab"));
        CU_ASSERT_PTR_NOT_NULL(strstr(output, "mark\\u{202E}dnuora"));
    } else {
        CU_ASSERT_EQUAL(code, 65);
    }
    free(output);
    code = test_convert(&output, "inspect --json '%s'", path);
    pml_error error = {0};
    if (code == 0) {
        PML_ASSERT_OK(pml_json_validate(output, strlen(output), "inspect", 4096, &error), &error);
        CU_ASSERT_PTR_NULL(strchr(output, 0x1B));
    }
    free(output);
}

static void a_pml_file(void) {
    const char *source = test_copy_case(TEST_CASE, "source");
    if (source == NULL) {
        return;
    }
    const char *file = test_converted(source, "m.pml", "--dtype bf16");
    size_t size = 0;
    char *text = describe(file, false, false, &size);
    HAS_LINE(text, "version", "1.0");
    HAS_LINE(text, "kind", "model");
    HAS_LINE(text, "config.d_model", "i64", "16");
    HAS_LINE(text, "patch_embedding.weight", "BF16", "[8,16]", "panel", "transpose");
    HAS_LINE(text, "patch_embedding.bias", "F32", "[16]", "row", "-", "0");
    free(text);
    text = describe(file, true, false, &size);
    pml_error error = {0};
    PML_ASSERT_OK(pml_json_validate(text, size, "inspect", 65536, &error), &error);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"config.d_model\": 16"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"layout\": \"panel\""));
    free(text);
    text = describe(file, false, true, &size);
    CU_ASSERT_PTR_NULL(strstr(text, "patch_embedding.weight"));
    free(text);
}

/* Agreement with a reader that shares no code: every structural figure that both print. */
static void the_independent_reader_agrees(void) {
    const char *source = test_copy_case(TEST_CASE, "agree");
    const char *python = getenv("PML_TEST_PYTHON");
    if (source == NULL) {
        return;
    }
    if (python == NULL || pml_test_command(NULL, "'%s' -c 'import numpy'", python) != 0) {
        pml_test_skip("no Python with numpy");
        return;
    }
    const char *file = test_converted(source, "agree.pml", "");
    static const char program[] =
        "import json, sys\n"
        "a, b = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))\n"
        "assert a['content_digest'] == b['content_digest'] and a['size_bytes'] == b['bytes'], 'head'\n"
        "assert a['metadata'] == b['metadata'], 'metadata'\n"
        "assert [t['name'] for t in a['tensors']] == sorted(b['tensors']), 'names'\n"
        "for t in a['tensors']:\n"
        "    o = b['tensors'][t['name']]\n"
        "    assert (t['dtype'], t['layout'], list(t['shape']), t['offset_bytes'], t['size_bytes'], t['transform'],\n"
        "            t['checksum']) == (o['dtype'], o['layout'], list(o['shape']), o['offset'], o['bytes'],\n"
        "            o['transforms'], o['checksum']), t['name']\n"
        "print('agreed on', len(a['tensors']))\n";
    const char *script = pml_test_path("%s/agree.py", pml_test_temporary_dir());
    pml_test_write_file(script, program, sizeof program - 1);
    char *output = NULL;
    int code = pml_test_command(&output,
                                "cd '%s' && '%s/pml-convert' inspect --json agree.pml >ours.json && "
                                "'%s' -B '%s/scripts/pml_reader.py' agree.pml >theirs.json && "
                                "'%s' agree.py ours.json theirs.json",
                                pml_test_temporary_dir(), pml_test_binary_dir(), python, pml_test_source_dir(), python);
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "agreed on"));
    if (code != 0) {
        printf("\n%s\n", output);
    }
    free(output);
    CU_ASSERT_PTR_NOT_NULL(file);
}

static void command(void) {
    test_usage("inspect", "x");
    TEST_EXITS(66, "nowhere", "inspect '%s/nowhere'", pml_test_temporary_dir());
    const char *empty = pml_test_path("%s/empty", pml_test_temporary_dir());
    pml_test_command(NULL, "mkdir -p '%s'", empty);
    TEST_EXITS(66, "empty", "inspect '%s'", empty);
    const char *text = pml_test_path("%s/text.txt", pml_test_temporary_dir());
    pml_test_write_file(text, "hello\n", 6);
    TEST_EXITS(65, "text.txt", "inspect '%s'", text);
    TEST_EXITS(74, "/dev/null", "inspect /dev/null");
    /* A .pml that is damaged is told to be damaged, by name or by the first bytes that are left of its signature. */
    const char *damaged = pml_test_path("%s/damaged.pml", pml_test_temporary_dir());
    pml_test_write_file(damaged, "\x89PML", 4);
    TEST_EXITS(65, "damaged.pml", "inspect '%s'", damaged);
    const char *renamed = pml_test_path("%s/renamed.bin", pml_test_temporary_dir());
    pml_test_write_file(renamed, "\x89PML\r\n\x1a\nrest", 12);
    TEST_EXITS(65, "renamed.bin", "inspect '%s'", renamed);
}

PML_TESTS("convert/inspect", PML_TEST(a_source), PML_TEST(hostile_names), PML_TEST(a_pml_file),
          PML_TEST(the_independent_reader_agrees), PML_TEST(command))
