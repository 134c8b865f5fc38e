/* Figures G4 and G3 over a download and the conversion behind it: calls of the system fail, one a run, and
 * allocations. Each time the command
 * ends well, or says so with a code for failures and leaves no output; nothing in the cache has a name that it does not
 * deserve; and the same command without the fault then gives the bytes of an undisturbed run.
 *
 * With "all" every call fails in its turn, otherwise every 11th, and every 101st allocation. */
#include <string.h>

#include "tests/faults/io_faults.h"
#include "tests/hub/hub_fixture.h"

#define REPO "org/model"

static hub h;
static const char *reference;
static bool fails_all;

static bool make_reference(void) {
    const char *golden = pml_test_golden("bert/sentence-transformer");
    const char *root = pml_test_fresh_dir("root");
    if (golden == NULL) {
        pml_test_skip("bert/sentence-transformer");
        return false;
    }
    CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL, "mkdir -p '%s/org' && cp -r '%s' '%s/%s'", root, golden, root, REPO),
                          0);
    h = hub_start(root, NULL, NULL);
    reference = pml_test_path("%s/reference.pml", pml_test_temporary_dir());
    CU_ASSERT_EQUAL_FATAL(hub_convert(&h, pml_test_fresh_dir("cache0"), NULL, 60, NULL, REPO " -o '%s' -q", reference),
                          0);
    return true;
}

static bool is_failure(int code) {
    return code == 74 || code == 1 || code == 69 || code == 75 || code == 66 || code == 65;
}

static void run_once(const io_fault *fault, unsigned n, const char *mark, unsigned *n_bad) {
    const char *cache = pml_test_fresh_dir("cache"), *folder = pml_test_fresh_dir("out");
    const char *output = pml_test_path("%s/m.pml", folder);
    const char *variables = io_fault_variables(fault, n, mark);
    const int code = hub_convert(&h, cache, variables, 60, NULL, REPO " -o '%s' -q", output);
    const char *messages = hub_messages(cache);
    const bool is_whole = pml_test_command(NULL, "cmp -s '%s' '%s'", output, reference) == 0;
    bool fits = hub_blobs_are_good(cache) && pml_test_count_files(folder) == (is_whole ? 1 : 0) &&
                (code == 0 ? is_whole : is_failure(code));
    const int again = hub_convert(&h, cache, NULL, 60, NULL, REPO " -o '%s' -q --force", output);
    fits = fits && again == 0 && pml_test_command(NULL, "cmp -s '%s' '%s'", output, reference) == 0;
    if (!fits && (*n_bad)++ < 5) {
        (void)printf("\n    %s %u, error %d: exit %d, then %d; %s\n%s", fault->call, n, fault->error, code, again,
                     is_whole ? "whole" : "no output", messages);
    }
    CU_ASSERT_TRUE(fits);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "rm -rf '%s' '%s'", cache, folder), 0);
}

static void everything_fails_once(void) {
#ifdef PML_TEST_SANITIZED
    (void)run_once, (void)make_reference;
    pml_test_skip("a sanitizer's runtime must be loaded first");
#else
    const char *mark = pml_test_path("%s/mark", pml_test_temporary_dir());
    unsigned n_happened = 0, n_bad = 0;
    if (!make_reference()) {
        return;
    }
    static const io_fault no_memory = {"aligned_alloc", ENOMEM, false};
    for (size_t i = 0; i <= N_IO_FAULTS; i++) {
        const io_fault *fault = i < N_IO_FAULTS ? &io_faults[i] : &no_memory;
        const unsigned stride = fails_all ? 1 : i < N_IO_FAULTS ? 11 : 101;
        for (unsigned n = 1; n < 20000 && n_bad < 20; n += stride) {
            run_once(fault, n, mark, &n_bad);
            if (!io_fault_happened(mark)) {
                break;
            }
            n_happened++;
        }
    }
    (void)printf("(%u faults) ", n_happened);
    CU_ASSERT(n_happened >= N_IO_FAULTS - 2);
    hub_stop(&h);
#endif
}

int main(int argc, char **argv) {
    static const pml_test tests[] = {PML_TEST(everything_fails_once)};
    fails_all = argc > 1 && strcmp(argv[1], "all") == 0;
    return pml_test_main("hub/io_faults", tests, 1, 1, argv);
}
