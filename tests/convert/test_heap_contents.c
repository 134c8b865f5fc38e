/* Figure G24: nothing of the heap's old contents reaches a file. Every conversion runs twice, the allocator filling
 * what it hands out and takes back with one byte, then with another (glibc's malloc.perturb): the files must be equal.
 */
#include <glob.h>

#include "tests/convert/command_fixture.h"

static const char *const forms[] = {"", "--layout row", "--dtype bf16", "--dtype bf16 --layout row"};

static int run(unsigned byte, const char *program, const char *arguments) {
    return pml_test_command(NULL, "GLIBC_TUNABLES=glibc.malloc.perturb=%u '%s/%s' %s >/dev/null 2>&1", byte,
                            pml_test_binary_dir(), program, arguments);
}

/* Runs a line with "%s" for the output under both bytes. Returns whether there are outputs; they must be equal. */
static bool compare(const char *what, const char *program, const char *before, const char *after) {
    const char *folder = pml_test_temporary_dir();
    const char *outputs[2] = {pml_test_path("%s/a", folder), pml_test_path("%s/b", folder)};
    static const unsigned bytes[2] = {0x55, 0xaa};
    int codes[2];
    for (int i = 0; i < 2; i++) {
        (void)pml_test_command(NULL, "rm -rf '%s'", outputs[i]);
        codes[i] = run(bytes[i], program, pml_test_path("%s '%s' %s", before, outputs[i], after));
    }
    CU_ASSERT_EQUAL(codes[0], codes[1]);
    const bool is_equal = pml_test_command(NULL, "diff -rq '%s' '%s' >/dev/null 2>&1", outputs[0], outputs[1]) == 0;
    if (codes[0] == 0 && !is_equal) {
        (void)printf("\n    %s: %s %s OUT %s: the files differ\n", what, program, before, after);
    }
    CU_ASSERT_TRUE(codes[0] != 0 || is_equal);
    return codes[0] == 0;
}

static void check_case(const char *source, unsigned *n_outputs) {
    const char *model = pml_test_path("%s/model.pml", pml_test_temporary_dir());
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        *n_outputs += compare(source, "pml-convert", pml_test_path("'%s' %s -q -f -o", source, forms[i]), "");
    }
    if (test_convert(NULL, "'%s' -q -f -o '%s'", source, model) == 0) {
        *n_outputs += compare(source, "pml-convert", pml_test_path("ship '%s' -q -o", model), "");
        *n_outputs += compare(source, "pml-convert",
                              pml_test_path("selftest '%s' --io '%s/io.safetensors' --out", model, source), "");
    }
}

static void nothing_of_the_heap_reaches_a_file(void) {
#ifdef PML_TEST_SANITIZED
    (void)check_case;
    pml_test_skip("a sanitizer has an allocator of its own");
#else
    static const char *const families[] = {"patchtst", "bert"};
    unsigned n_outputs = 0;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        glob_t found;
        const char *pattern = pml_test_path("%s/tests/goldens/%s/*", pml_test_source_dir(), families[i]);
        CU_ASSERT_EQUAL_FATAL(glob(pattern, 0, NULL, &found), 0);
        for (size_t k = 0; k < found.gl_pathc; k += getenv("PML_TEST_ALL") != NULL ? 1 : 4) {
            check_case(found.gl_pathv[k], &n_outputs);
        }
        globfree(&found);
    }
    (void)printf("(%u outputs) ", n_outputs);
    CU_ASSERT(n_outputs > 40);
#endif
}

PML_TESTS("convert/heap_contents", PML_TEST(nothing_of_the_heap_reaches_a_file))
