/* Many processes, one after the other, near the hub's limits: what one learns the next one heeds. */
#include <stdio.h>

#include "tests/hub/hub_fixture.h"

enum { N_REPOS = 14 };

static const char *make_root(void) {
    const char *root = pml_test_fresh_dir("root");
    for (unsigned i = 0; i < N_REPOS; i++) {
        hub_make_text(root, pml_test_path("acme/r%u", i), "config.json", pml_test_path("{\"i\": %u}", i));
        hub_make_file(root, pml_test_path("acme/r%u", i), "model.safetensors", 1000, i);
    }
    return root;
}

static size_t count_refused(const hub *h) {
    size_t n_requests = 0, n_refused = 0;
    hub_request *requests = hub_requests(h, &n_requests);
    for (size_t i = 0; i < n_requests; i++) {
        n_refused += requests[i].status == 429;
    }
    free(requests);
    return n_refused;
}

/* Twice what the hub allows in a window: nothing is refused. */
static void one_after_the_other(void) {
    const char *cache = pml_test_fresh_dir("cache");
    hub h = hub_start(make_root(), NULL, "--limit api:14:2 --limit resolvers:14:2");
    for (unsigned i = 0; i < N_REPOS; i++) {
        char folder[4096];
        CU_ASSERT_EQUAL(hub_convert(&h, cache, "PML_HUB_TIME_SCALE=1", 60, folder, "download acme/r%u", i), 0);
    }
    hub_stop(&h);
    CU_ASSERT_EQUAL(count_refused(&h), 0);
    CU_ASSERT_EQUAL(hub_count(&h, NULL, "resolve"), 2u * N_REPOS);
    CU_ASSERT_EQUAL(hub_count(&h, NULL, "revision") + hub_count(&h, NULL, "tree"), 2u * N_REPOS);
}

PML_TESTS("hub/pace", PML_TEST(one_after_the_other))
