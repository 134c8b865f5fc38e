/* A file of several segments: fetched in ranges at once, gone on with after cuts, kills and addresses that ran out, in
 * one piece where the server knows no ranges. The file is sparse but for the edges of its segments. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/hub/hub_fixture.h"

enum { SEGMENT_BYTES = 67108864, N_SEGMENTS = 3, SLACK_BYTES = 16 << 20 };
static const uint64_t huge_bytes = 2ull * SEGMENT_BYTES + 12345678;

static const char *make_root(void) {
    static const char *root = NULL;
    if (root == NULL) {
        root = pml_test_fresh_dir("root");
        hub_make_text(root, "acme/huge", "config.json", "{}");
        hub_make_text(root, "acme/huge", "model.safetensors", "first");
        const char *path = pml_test_path("%s/acme/huge/model.safetensors", root);
        const int fd = open(path, O_RDWR);
        CU_ASSERT_EQUAL_FATAL(ftruncate(fd, (off_t)huge_bytes), 0);
        for (uint64_t i = 1; i < N_SEGMENTS; i++) {
            CU_ASSERT_EQUAL_FATAL(pwrite(fd, &i, sizeof i, (off_t)(i * SEGMENT_BYTES - 4)), sizeof i);
        }
        CU_ASSERT_EQUAL_FATAL(pwrite(fd, "last", 4, (off_t)huge_bytes - 4), 4);
        (void)close(fd);
    }
    return root;
}

/* Requests for ranges of the file that the second host answered. */
static size_t count_ranges(const hub *h) {
    size_t n_requests = 0, count = 0;
    hub_request *requests = hub_requests(h, &n_requests);
    for (size_t i = 0; i < n_requests; i++) {
        count += strcmp(requests[i].host, "cdn") == 0 && requests[i].status == 206 && requests[i].range[0] != '\0';
    }
    free(requests);
    return count;
}

/* Downloads into a cache of that name, which must be good then; the hub is stopped. */
static void check(hub *h, const char *name) {
    const char *cache = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    char folder[4096] = "";
    const int code = hub_convert(h, cache, NULL, 120, folder, "download acme/huge");
    if (code != 0) {
        (void)printf("\n    %s: exit code %d: %s\n", name, code, hub_messages(cache));
    }
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_TRUE(hub_snapshot_is_good(h, "acme/huge", folder));
    CU_ASSERT_TRUE(hub_blobs_are_good(cache));
    CU_ASSERT_NOT_EQUAL(pml_test_command(NULL, "find '%s' -name '*.incomplete' | grep -q .", cache), 0);
    hub_stop(h);
    (void)pml_test_command(NULL, "rm -rf '%s'", cache);
}

static void segments_are_ranges(void) {
    hub h = hub_start(make_root(), NULL, NULL);
    check(&h, "ranges");
    CU_ASSERT_EQUAL(count_ranges(&h), N_SEGMENTS);
    CU_ASSERT_EQUAL(hub_bytes(&h), huge_bytes + 2);
    CU_ASSERT_EQUAL(hub_count(&h, "hub", "resolve"), 2);
}

/* Every kind of end in the middle of a segment costs what was on its way, and no more. */
static void cuts_cost_little(void) {
    static const char *const scripts[] = {"object cut 1 x1\nobject cut 50% x2\nobject cut 99.9% x2\n",
                                          "object rst 50% x3\n",
                                          "object cut-bare 30% x2\n",
                                          "object status 503 Retry-After=0 x4\n",
                                          "object wrong-range start x2\n",
                                          "object cut 60% +2 x1\n"};
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        hub h = hub_start(make_root(), scripts[i], NULL);
        check(&h, pml_test_path("cut-%zu", i));
        CU_ASSERT_TRUE(hub_bytes(&h) <= huge_bytes + SLACK_BYTES);
    }
}

/* An address that ran out is asked for anew, once each time. */
static void addresses_run_out(void) {
    for (unsigned n_uses = 1; n_uses <= 2; n_uses++) {
        hub h = hub_start(make_root(), NULL, pml_test_path("--url-uses %u", n_uses));
        check(&h, pml_test_path("uses-%u", n_uses));
        CU_ASSERT_TRUE(hub_count(&h, "hub", "resolve") <= 1 + N_SEGMENTS);
    }
}

static void servers_without_ranges_send_it_whole(void) {
    hub h = hub_start(make_root(), "object ignore-range\n", NULL);
    check(&h, "whole");
    h = hub_start(make_root(), "object:*/model.safetensors ignore-range x1\n", NULL);
    check(&h, "whole-once");
}

/* One wrong byte in any segment: all of it once more, in one piece, and then it is right. */
static void wrong_bytes_are_found_in_any_segment(void) {
    for (unsigned i = 0; i < N_SEGMENTS; i++) {
        hub h = hub_start(make_root(), pml_test_path("object flip 12345 +%u x1\n", i), NULL);
        check(&h, pml_test_path("flip-%u", i));
        CU_ASSERT_EQUAL(hub_bytes(&h), 2 * huge_bytes + 2);
    }
}

static void kills_lose_little(void) {
    const char *cache = pml_test_path("%s/killed", pml_test_temporary_dir());
    uint64_t sum_bytes = 0;
    for (unsigned i = 0; i < 3; i++) {
        hub h = hub_start(make_root(), "object drip 262144 25\n", NULL);
        (void)hub_convert_killed(&h, cache, NULL, 1.2, "download acme/huge");
        hub_stop(&h);
        sum_bytes += hub_bytes(&h);
    }
    hub h = hub_start(make_root(), NULL, NULL);
    check(&h, "killed");
    sum_bytes += hub_bytes(&h);
    CU_ASSERT_TRUE(sum_bytes <= huge_bytes + 3ull * N_SEGMENTS * SLACK_BYTES);
    (void)printf("%llu bytes again ", (unsigned long long)(sum_bytes - huge_bytes));
    /* What was received before is gone on with; on a busy machine that may be nothing. */
    CU_ASSERT_TRUE(sum_bytes - hub_bytes(&h) < 3 * SLACK_BYTES || hub_bytes(&h) < huge_bytes);
}

PML_TESTS("hub/ranges", PML_TEST(segments_are_ranges), PML_TEST(cuts_cost_little), PML_TEST(addresses_run_out),
          PML_TEST(servers_without_ranges_send_it_whole), PML_TEST(wrong_bytes_are_found_in_any_segment),
          PML_TEST(kills_lose_little))
