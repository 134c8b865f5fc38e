/* Figures G4 and G21 over batches: calls of the system fail in the batch and in its steps. Whatever the batch says
 * then, each model is there whole or not at all, and the same command without faults makes the rest. */
#include "tests/convert/batch_fixture.h"
#include "tests/faults/io_faults.h"

static bool is_answer(int code) {
    return code == 0 || code == 1 || code == 2 || code == 66 || code == 74 || code == 75 || code == 78;
}

/* The models that are there are those of an undisturbed run. */
static bool models_are_whole(const char *out, const char *reference, bool all) {
    bool good = true;
    for (int i = 0; i < 2; i++) {
        const char *path = pml_test_path("%s/m%d.pml", out, i);
        good = good &&
               (test_exists(path) ? pml_test_command(NULL, "cmp -s '%s' '%s/m%d.pml'", path, reference, i) == 0 : !all);
    }
    return good;
}

static void every_call_fails_in_its_turn(void) {
#ifdef PML_TEST_SANITIZED
    (void)is_answer, (void)models_are_whole;
    pml_test_skip("a sanitizer's runtime must be loaded first");
#else
    const char *folder = pml_test_fresh_dir("faults"), *list = test_manifest(folder, 2);
    if (list == NULL) {
        return;
    }
    const char *out = pml_test_path("%s/out", folder), *reference = pml_test_path("%s/reference", folder);
    const char *mark = pml_test_path("%s/mark", folder);
    unsigned n_happened = 0, n_bad = 0;
    TEST_EXITS(0, "2 published", "batch '%s' -o '%s'", list, reference);
    for (size_t i = 0; i < N_IO_FAULTS; i++) {
        bool happened = true;
        for (unsigned n = 1; happened && n < 2000 && n_bad < 5; n += 1 + n / 6) {
            char *text = NULL;
            (void)pml_test_command(NULL, "rm -rf '%s'", out);
            const int code =
                pml_test_command(&text, "%s '%s/pml-convert' batch '%s' -o '%s' --jobs 1",
                                 io_fault_variables(&io_faults[i], n, mark), pml_test_binary_dir(), list, out);
            happened = io_fault_happened(mark);
            n_happened += happened;
            const bool was_whole = models_are_whole(out, reference, code == 0);
            const int again = pml_test_command(NULL, "'%s/pml-convert' batch '%s' -o '%s' --retry-failed",
                                               pml_test_binary_dir(), list, out);
            const bool fits = is_answer(code) && was_whole && again == 0 && models_are_whole(out, reference, true) &&
                              test_is_tidy(out);
            if (!fits) {
                n_bad++;
                (void)printf("\n    %s %u, error %d: exit %d, %s; again: exit %d\n%s", io_faults[i].call, n,
                             io_faults[i].error, code, was_whole ? "whole" : "not whole", again, text);
            }
            CU_ASSERT_TRUE(fits);
            free(text);
        }
    }
    CU_ASSERT_TRUE(n_happened > 100);
#endif
}

PML_TESTS("convert/batch_io_faults", PML_TEST(every_call_fails_in_its_turn))
