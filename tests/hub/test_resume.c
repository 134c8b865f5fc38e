/* A file of several segments (64 MiB each), cut at and beside their edges and killed anywhere: no more than one segment
 * is asked for twice, and what comes out has the right hash. */
#include <stdio.h>
#include <string.h>

#include "tests/hub/hub_fixture.h"

#define REPO "acme/huge"
enum { SEGMENT_BYTES = 67108864, FILE_BYTES = 2 * SEGMENT_BYTES + 1000000, N_KILLS = 12 };

static const char *make_root(void) {
    static const char *root = NULL;
    if (root == NULL) {
        root = pml_test_fresh_dir("root");
        hub_make_text(root, REPO, "config.json", "{}");
        hub_make_file(root, REPO, "model.safetensors", FILE_BYTES, 6);
    }
    return root;
}

/* What a fresh run asks for after `before` was served already. */
static void finish(const char *cache, uint64_t before, const char *what) {
    char folder[4096];
    hub h = hub_start(make_root(), NULL, NULL);
    CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 120, folder, "download " REPO), 0);
    CU_ASSERT_TRUE(hub_snapshot_is_good(&h, REPO, folder));
    hub_stop(&h);
    uint64_t all = before + hub_bytes(&h);
    if (all > (uint64_t)FILE_BYTES + SEGMENT_BYTES) {
        (void)printf("\n    %s: %llu bytes for a file of %d\n", what, (unsigned long long)all, FILE_BYTES);
    }
    CU_ASSERT_TRUE(all <= (uint64_t)FILE_BYTES + SEGMENT_BYTES);
    CU_ASSERT_TRUE(hub_blobs_are_good(cache));
    (void)pml_test_command(NULL, "rm -rf '%s'*", cache);
}

static void cuts_at_edges(void) {
    static const char *const cuts[] = {"cut 67108863", "cut 67108864",  "cut 67108865", "cut -1",
                                       "cut 1",        "cut 1%",        "cut 50%",      "cut 99.9%",
                                       "rst 50%",      "cut 134217728", "cut 134217729"};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        const char *cache = pml_test_path("%s/cut-%zu-", pml_test_temporary_dir(), i);
        const char *script = pml_test_path("bytes:*/model.safetensors %s x1\n", cuts[i]);
        char folder[4096];
        hub h = hub_start(make_root(), script, NULL);
        CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 120, folder, "download " REPO), 0);
        CU_ASSERT_TRUE(hub_snapshot_is_good(&h, REPO, folder));
        hub_stop(&h);
        CU_ASSERT_TRUE(hub_bytes(&h) <= (uint64_t)FILE_BYTES + SEGMENT_BYTES);
        (void)pml_test_command(NULL, "rm -rf '%s'*", cache);
    }
}

/* One connection that ends for good at an edge, then another run. */
static void runs_that_end_at_edges(void) {
    static const char *const cuts[] = {"cut 67108863", "cut 67108864", "cut 67108865", "cut -1", "cut 50%"};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        const char *cache = pml_test_path("%s/end-%zu-", pml_test_temporary_dir(), i);
        const char *script =
            pml_test_path("bytes:*/model.safetensors %s x1\nbytes:*/model.safetensors close\n", cuts[i]);
        char folder[4096];
        hub h = hub_start(make_root(), script, NULL);
        CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 120, folder, "download " REPO " --max-workers 1 --retries 2"), 69);
        hub_stop(&h);
        CU_ASSERT_TRUE(hub_bytes(&h) > 0);
        finish(cache, hub_bytes(&h), cuts[i]);
    }
}

static void kills_anywhere(void) {
    for (unsigned i = 0; i < N_KILLS; i++) {
        const char *cache = pml_test_path("%s/kill-%u-", pml_test_temporary_dir(), i);
        hub h = hub_start(make_root(), "bytes:*/model.safetensors drip 262144 3\n", NULL);
        (void)hub_convert_killed(&h, cache, NULL, 0.15 + 0.07 * i, "download " REPO " 2>/dev/null");
        hub_stop(&h);
        finish(cache, hub_bytes(&h), "kill");
    }
}

PML_TESTS("hub/resume", PML_TEST(cuts_at_edges), PML_TEST(runs_that_end_at_edges), PML_TEST(kills_anywhere))
