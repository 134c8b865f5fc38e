/* Many processes, one after the other, near the hub's limits: what one learns the next one heeds. */
#include <stdio.h>

#include "tests/hub/hub_fixture.h"

enum { N_RUNS = 20 };

static size_t count_refused(const hub *h) {
    size_t n_requests = 0, n_refused = 0;
    hub_request *requests = hub_requests(h, &n_requests);
    for (size_t i = 0; i < n_requests; i++) {
        n_refused += requests[i].status == 429;
    }
    free(requests);
    return n_refused;
}

/* Warm runs ask once each, so that none could learn from its own requests; together they ask for twice what the hub
 * allows in a window. */
static void one_after_the_other(void) {
    const char *root = pml_test_fresh_dir("root"), *cache = pml_test_fresh_dir("cache");
    char folder[4096];
    hub_make_text(root, "acme/m", "config.json", "{}");
    hub_make_file(root, "acme/m", "model.safetensors", 1000, 1);
    hub h = hub_start(root, NULL, "--limit api:10:3");
    for (unsigned i = 0; i < N_RUNS; i++) {
        CU_ASSERT_EQUAL(hub_convert(&h, cache, "PML_HUB_TIME_SCALE=1", 60, folder, "download acme/m"), 0);
    }
    hub_stop(&h);
    CU_ASSERT_EQUAL(count_refused(&h), 0);
    CU_ASSERT_EQUAL(hub_count(&h, NULL, "revision"), N_RUNS);
}

PML_TESTS("hub/pace", PML_TEST(one_after_the_other))
