/* Where results may go: nothing that exists is lost unasked, and what cannot work is refused before anything is done.
 */
#include <stdio.h>
#include <unistd.h>

#include "tests/convert/command_fixture.h"

static bool same_bytes(const char *a, const char *b) {
    return pml_test_command(NULL, "cmp -s '%s' '%s'", a, b) == 0;
}

static void selftest_never_writes_over_its_inputs(void) {
    const char *source = test_copy_case(TEST_CASE, "inputs");
    if (source == NULL) {
        return;
    }
    const char *file = test_converted(source, "inputs.pml", "");
    const char *copy = pml_test_path("%s.copy", file), *vectors = pml_test_path("%s/io.safetensors", source);
    const char *golden = pml_test_path("%s/io.safetensors", pml_test_golden(TEST_CASE));
    const char *link = pml_test_path("%s/link.safetensors", source);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "cp '%s' '%s' && ln -s io.safetensors '%s'", file, copy, link), 0);
    TEST_EXITS(2, "would overwrite the input", "selftest '%s' --io '%s' --out '%s'", file, vectors, vectors);
    TEST_EXITS(2, "would overwrite the input", "selftest '%s' --io '%s' --out '%s'", file, vectors, file);
    TEST_EXITS(2, "would overwrite the input", "selftest '%s' --io '%s' --out '%s'", file, vectors, link);
    TEST_EXITS(2, "would overwrite the input", "selftest '%s' --io '%s' --out '%s'", file, link, vectors);
    CU_ASSERT_TRUE(same_bytes(file, copy) && same_bytes(vectors, golden));
    TEST_EXITS(2, "is a directory", "selftest '%s' --io '%s' --out '%s'", file, vectors, source);
    TEST_EXITS(74, "No such file", "selftest '%s' --io '%s' --out '%s/none/out'", file, vectors, source);
    TEST_EXITS(2, "did you mean 'cpu'?", "selftest '%s' --io '%s' --backend gpu", file, vectors);
}

static void a_conversion_never_writes_over_its_sources(void) {
    static const struct {
        const char *golden, *name;
    } cases[] = {{"patchtst/hf-sharded", "model.safetensors.index.json"},
                 {"patchtst/hf-sharded", "model-00001-of-00004.safetensors"},
                 {"patchtst/hf-sharded", "config.json"},
                 {"bert/sentence-transformer", "1_Pooling/config.json"},
                 {"bert/sentence-transformer", "tokenizer.json"},
                 {"bert/sentence-transformer", "tokenizer_config.json"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *source = test_copy_case(cases[i].golden, pml_test_path("sources-%zu", i));
        if (source == NULL) {
            return;
        }
        TEST_EXITS(2, "is one of the sources", "'%s' --force -o '%s/%s'", source, source, cases[i].name);
        CU_ASSERT_TRUE(same_bytes(pml_test_path("%s/%s", source, cases[i].name),
                                  pml_test_path("%s/%s", pml_test_golden(cases[i].golden), cases[i].name)));
    }
}

/* A dry run tells it too. */
static void what_cannot_be_written_is_refused_first(void) {
    const char *source = test_copy_case(TEST_CASE, "first");
    if (source == NULL) {
        return;
    }
    const char *folder = pml_test_fresh_dir("first-out");
    static const char *const ways[] = {"", "-n"};
    for (size_t i = 0; i < 2; i++) {
        TEST_EXITS(74, "No such file", "'%s' %s -q -o '%s/none/out.pml'", source, ways[i], folder);
        TEST_EXITS(2, "name a file", "'%s' %s -q -o -", source, ways[i]);
        TEST_EXITS(2, "name a file in it", "'%s' %s -q -o '%s'", source, ways[i], folder);
        TEST_EXITS(2, "not a regular file", "'%s' %s -q -o /dev/null", source, ways[i]);
        TEST_EXITS(66, "none.safetensors", "'%s' %s -q -o '%s/out.pml' --embed-selftest '%s/none.safetensors'", source,
                   ways[i], folder, folder);
        const char *dangling = pml_test_path("%s/dangling%zu.pml", folder, i);
        CU_ASSERT_EQUAL(symlink("nowhere", dangling), 0);
        TEST_EXITS(2, "--force replaces it", "'%s' %s -q -o '%s'", source, ways[i], dangling);
    }
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 2); /* the two links */
}

/* The intermediate file of --embed-selftest is a temporary like any other: whenever the process dies, the next
 * conversion into the same folder leaves nothing of it. */
static void a_killed_embedding_leaves_nothing_for_long(void) {
    const char *source = test_copy_case(TEST_CASE, "killed");
    if (source == NULL) {
        return;
    }
    const char *folder = pml_test_fresh_dir("killed-out");
    for (int i = 0; i < 40; i++) {
        (void)pml_test_command(NULL,
                               "'%s/pml-convert' '%s' -q -f -o '%s/out.pml' --embed-selftest '%s/io.safetensors' & "
                               "sleep 0.%03d; kill -KILL $! 2>/dev/null; wait $!",
                               pml_test_binary_dir(), source, folder, source, 1 + i);
    }
    TEST_EXITS(0, NULL, "'%s' -q -f -o '%s/out.pml'", source, folder);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 1);
}

/* An incomplete snapshot of a hub cache: a link whose blob was never fetched is not a file that is not there. */
static void a_side_file_that_leads_nowhere_is_an_error(void) {
    static const char *const names[] = {"config.json", "scaler.json"};
    for (size_t i = 0; i < 2; i++) {
        const char *source = test_copy_case(TEST_CASE, names[i]);
        if (source == NULL) {
            return;
        }
        const char *path = pml_test_path("%s/%s", source, names[i]);
        (void)unlink(path);
        CU_ASSERT_EQUAL(symlink("../../blobs/nowhere", path), 0);
        TEST_EXITS(66, names[i], "'%s' -n -q", source);
    }
}

/* verify writes nothing: the name of its file is neither a template nor a place that must be free. */
static void verify_needs_no_output(void) {
    const char *source = test_copy_case(TEST_CASE, "unwritten");
    if (source == NULL) {
        return;
    }
    const char *file = pml_test_path("%s/{name}", pml_test_temporary_dir()); /* the source's own, filled in */
    CU_ASSERT_EQUAL(rename(test_converted(source, "unwritten.pml", ""), file), 0);
    TEST_EXITS(0, "0 differences", "verify '%s' --source '%s'", file, source);
    TEST_EXITS(2, "--source", "verify '%s' --config '%s/config.json'", file, source);
    TEST_EXITS(2, "--source", "verify '%s' --map '%s/config.json'", file, source);
}

/* Names that other converters use for the same options. */
static void other_names_of_options(void) {
    const char *source = test_copy_case(TEST_CASE, "aliases");
    if (source == NULL) {
        return;
    }
    const char *folder = pml_test_fresh_dir("aliases-out");
    static const char *const dtype[] = {"outtype", "quantization", "quantize", "quant", "dt"};
    for (size_t i = 0; i < sizeof dtype / sizeof dtype[0]; i++) {
        TEST_EXITS(0, "-bf16.pml", "'%s' --%s bf16 -n -q -o '{name}-{dtype}.pml'", source, dtype[i]);
        TEST_EXITS(2, "f32|bf16|int8|int8-g64|int8-g32", "'%s' --%s=q8_0 -n -q", source, dtype[i]);
    }
    static const char *const output[] = {"outfile", "out", "output"};
    for (size_t i = 0; i < sizeof output / sizeof output[0]; i++) {
        TEST_EXITS(0, NULL, "'%s' --%s '%s/%zu.pml' -q", source, output[i], folder, i);
    }
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 3);
    TEST_EXITS(0, "patchtst", "--print-supported-models");
    TEST_EXITS(2, "missing operand: expected SOURCE", "convert -n");
}

/* Every option of a command's help stands in its section of specs/command-line.md, or in the part about all commands.
 */
static void check_section(const char *document, const char *program, const char *command) {
    const char *begin = strstr(document, pml_test_path("\n## %s\n", program));
    CU_ASSERT_PTR_NOT_NULL_FATAL(begin);
    begin = strstr(begin, pml_test_path("\n### %s", command));
    if (begin == NULL) {
        return;
    }
    const char *end = strstr(begin + 4, "\n### ");
    const char *section = pml_test_path("%.*s", end != NULL ? (int)(end - begin) : (int)strlen(begin), begin);
    const char *all = pml_test_path("%.*s", (int)(strstr(document, "\n## pml-convert\n") - document), document);
    char *help = NULL;
    CU_ASSERT_EQUAL(pml_test_command(&help, "'%s/%s' %s --help", pml_test_binary_dir(), program, command), 0);
    for (const char *at = strstr(help, "--"); at != NULL; at = strstr(at + 2, "--")) {
        const char *option = pml_test_path("%.*s", (int)strspn(at, "-abcdefghijklmnopqrstuvwxyz"), at);
        bool model =
            strcmp(program, "pml-run") == 0 &&
            (strcmp(option, "--backend") == 0 || strcmp(option, "--verify") == 0 || strcmp(option, "--adapter") == 0);
        bool stands = strstr(section, option) != NULL || strstr(all, option) != NULL ||
                      (model && strstr(document, option) != NULL);
        if (!stands) {
            (void)printf("\n    %s %s: %s is not in specs/command-line.md\n", program, command, option);
        }
        CU_ASSERT_TRUE(stands);
    }
    free(help);
}

static void the_document_names_every_option(void) {
    size_t size = 0;
    unsigned char *bytes = pml_test_read_file(pml_test_path("%s/specs/command-line.md", pml_test_source_dir()), &size);
    const char *document = pml_test_path("%.*s", (int)size, (const char *)bytes);
    static const char *const convert[] = {"convert", "detect", "models", "inspect", "verify", "diff", "selftest"};
    static const char *const run[] = {"info", "forecast", "evaluate", "selftest", "bench", "backends"};
    for (size_t i = 0; i < sizeof convert / sizeof convert[0]; i++) {
        check_section(document, "pml-convert", convert[i]);
    }
    for (size_t i = 0; i < sizeof run / sizeof run[0]; i++) {
        check_section(document, "pml-run", run[i]);
    }
    free(bytes);
}

PML_TESTS("convert/outputs", PML_TEST(selftest_never_writes_over_its_inputs),
          PML_TEST(a_conversion_never_writes_over_its_sources), PML_TEST(what_cannot_be_written_is_refused_first),
          PML_TEST(a_killed_embedding_leaves_nothing_for_long), PML_TEST(a_side_file_that_leads_nowhere_is_an_error),
          PML_TEST(verify_needs_no_output), PML_TEST(other_names_of_options), PML_TEST(the_document_names_every_option))
