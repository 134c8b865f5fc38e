/* Many processes download one repository into one cache at once, the official client among them, with locks that work
 * and with locks that do nothing: nobody fails, and no blob is wrong. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/hub/hub_client.h"

enum { N_PROCESSES = 16, N_ROUNDS = 100, OFFICIAL_EVERY = 5 };

static const char *make_root(void) {
    static const char *root = NULL;
    if (root == NULL) {
        root = pml_test_fresh_dir("root");
        hub_make_text(root, "acme/m", "config.json", "{\"model_type\": \"none\"}\n");
        hub_make_file(root, "acme/m", "tokenizer.json", 50000, 3);
        hub_make_file(root, "acme/m", "model-00001-of-00002.safetensors", 700000, 1);
        hub_make_file(root, "acme/m", "model-00002-of-00002.safetensors", 300000, 2);
        hub_make_text(root, "acme/m", "model.safetensors.index.json",
                      "{\"metadata\": {}, \"weight_map\": {\"a\": \"model-00001-of-00002.safetensors\", "
                      "\"b\": \"model-00002-of-00002.safetensors\"}}");
    }
    return root;
}

/* One of the processes; its own messages and home beside the shared cache. */
static int run_one(const hub *h, const char *cache, const char *variables, unsigned k) {
    char folder[4096];
    const char *own = pml_test_path("%s-%u", cache, k);
    const char *shared = pml_test_path("HF_HUB_CACHE='%s' %s", cache, variables);
    if (hub_convert(h, own, shared, 120, folder, "download acme/m") != 0) {
        (void)printf("\n    process %u: %s\n", k, hub_messages(own));
        return 1;
    }
    return hub_snapshot_is_good(h, "acme/m", folder) ? 0 : 1;
}

static int run_official(const hub *h, const char *cache) {
    const char *folder = hub_client(h, cache, NULL, "snapshot acme/m");
    return hub_snapshot_is_good(h, "acme/m", folder) ? 0 : 1;
}

static void run_rounds(const char *variables, unsigned n_rounds, bool with_official) {
    hub h = hub_start(make_root(), NULL, NULL);
    unsigned n_failed = 0;
    for (unsigned round = 0; round < n_rounds; round++) {
        const char *cache = pml_test_path("%s/race-%u", pml_test_temporary_dir(), round);
        bool invites = with_official && round % OFFICIAL_EVERY == 0;
        unsigned n_processes = N_PROCESSES + (invites ? 2 : 0);
        (void)fflush(NULL);
        for (unsigned k = 0; k < n_processes; k++) {
            if (fork() == 0) {
                int code = k < N_PROCESSES ? run_one(&h, cache, variables, k) : run_official(&h, cache);
                (void)fflush(NULL);
                _exit(code);
            }
        }
        for (unsigned k = 0; k < n_processes; k++) {
            int code = -1;
            (void)wait(&code);
            n_failed += code != 0;
        }
        n_failed += !hub_blobs_are_good(cache);
        n_failed += pml_test_command(NULL, "find '%s' -name '*.incomplete' | grep -q .", cache) == 0;
        (void)pml_test_command(NULL, "rm -rf '%s' '%s'.*", cache, cache);
    }
    hub_stop(&h);
    CU_ASSERT_EQUAL(n_failed, 0);
}

static void locks_that_work(void) {
    run_rounds("", N_ROUNDS, access(pml_test_path("%s/hub-client/bin/python", pml_test_binary_dir()), X_OK) == 0);
}

static void locks_that_do_nothing(void) {
#ifdef PML_TEST_SANITIZED
    pml_test_skip("a preloaded library and a sanitizer do not mix");
#else
    CU_ASSERT_EQUAL_FATAL(access(pml_test_path("%s/tests/libflock_stub.so", pml_test_binary_dir()), R_OK), 0);
    run_rounds(pml_test_path("LD_PRELOAD='%s/tests/libflock_stub.so'", pml_test_binary_dir()), N_ROUNDS, false);
#endif
}

PML_TESTS("hub/concurrency", PML_TEST(locks_that_work), PML_TEST(locks_that_do_nothing))
