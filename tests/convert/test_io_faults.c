/* Figure G4 over whole conversions: every call of the system by which files are read and written fails once, each with
 * every error that is likely. Each time the command ends well with the right bytes, or says so with a code for
 * failures; the file that was there before is whole, or the new one is, and nothing else is left. */
#include "tests/convert/command_fixture.h"
#include "tests/faults/io_faults.h"

typedef struct flow {
    const char *arguments;      /* of pml-convert */
    const char *folder;         /* where it writes */
    const char *output;         /* the file that it replaces */
    const char *before, *after; /* what may stand there */
    size_t most_files;          /* in the folder afterwards: a part that the next run goes on from may be one */
    unsigned least_faults;
} flow;

static bool same(const char *a, const char *b) {
    return pml_test_command(NULL, "cmp -s '%s' '%s'", a, b) == 0;
}

static bool is_failure(int code) {
    return code == 74 || code == 1 || code == 66 || code == 65;
}

static void run_once(const flow *f, const io_fault *fault, unsigned n, const char *mark, unsigned *n_bad) {
    char *output = NULL;
    CU_ASSERT_EQUAL(pml_test_command(NULL, "cp '%s' '%s'", f->before, f->output), 0);
    const int code = pml_test_command(&output, "%s '%s/pml-convert' %s", io_fault_variables(fault, n, mark),
                                      pml_test_binary_dir(), f->arguments);
    const bool is_new = same(f->output, f->after), is_old = same(f->output, f->before);
    const bool fits = pml_test_count_files(f->folder) <= f->most_files &&
                      (code == 0 ? is_new : !fault->is_overcome && is_failure(code) && (is_new || is_old));
    if (!fits && (*n_bad)++ < 3) {
        (void)printf("\n    %s %u, error %d: exit %d, %s, %zu files\n%s", fault->call, n, fault->error, code,
                     is_new   ? "the new file"
                     : is_old ? "the old file"
                              : "another file",
                     pml_test_count_files(f->folder), output);
    }
    CU_ASSERT_TRUE(fits);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "find '%s' -mindepth 1 -delete", f->folder), 0);
    free(output);
}

static void fails_everywhere(const flow *f) {
#ifdef PML_TEST_SANITIZED
    (void)f, (void)run_once;
    pml_test_skip("a sanitizer's runtime must be loaded first");
#else
    const char *mark = pml_test_path("%s/mark", pml_test_temporary_dir());
    unsigned n_happened = 0, n_bad = 0;
    for (size_t i = 0; i < N_IO_FAULTS; i++) {
        for (unsigned n = 1; n < 2000 && n_bad < 20; n++) {
            run_once(f, &io_faults[i], n, mark, &n_bad);
            if (!io_fault_happened(mark)) {
                break;
            }
            n_happened++;
        }
    }
    CU_ASSERT(n_happened >= f->least_faults);
#endif
}

static void conversion(void) {
    const char *source = test_copy_case("bert/sentence-transformer", "source");
    if (source == NULL) {
        return;
    }
    static const char readme[] = "---\nlicense: mit\n---\n";
    pml_test_write_file(pml_test_path("%s/README.md", source), readme, strlen(readme));
    const char *folder = pml_test_fresh_dir("out");
    flow f = {.folder = folder, .output = pml_test_path("%s/m.pml", folder), .most_files = 1, .least_faults = 60};
    f.before = test_converted(source, "before.pml", "--layout row");
    f.after = test_converted(source, "after.pml", "");
    f.arguments = pml_test_path("'%s' -o '%s' --force -q", source, f.output);
    fails_everywhere(&f);
}

static void unshipping(void) {
    const char *source = test_copy_case(TEST_CASE, "shipped");
    if (source == NULL) {
        return;
    }
    const char *folder = pml_test_fresh_dir("unshipped"),
               *outbox = pml_test_path("%s/outbox", pml_test_temporary_dir());
    flow f = {.folder = folder, .output = pml_test_path("%s/m.pml", folder), .most_files = 2, .least_faults = 20};
    f.before = test_converted(source, "a.pml", "--layout row");
    f.after = test_converted(source, "b.pml", "");
    TEST_EXITS(0, NULL, "ship '%s' -o '%s' -q", f.after, outbox);
    f.arguments = pml_test_path("unship '%s/b.pml.zst' -o '%s' --force -q", outbox, f.output);
    fails_everywhere(&f);
}

PML_TESTS("convert/io_faults", PML_TEST(conversion), PML_TEST(unshipping))
