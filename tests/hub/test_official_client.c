/* The official client downloads from the fake hub, faults and all: the fake is not only our own idea of the protocol.
 */
#include "tests/hub/hub_client.h"

#include <string.h>

static const char *root;

static const char *make_root(void) {
    if (root == NULL) {
        root = pml_test_fresh_dir("root");
        hub_make_text(root, "acme/m", "config.json", "{\"model_type\": \"none\"}\n");
        hub_make_text(root, "acme/m", "sub/folder/read me.txt", "text\n");
        hub_make_text(root, "acme/m", "empty", "");
        hub_make_file(root, "acme/m", "model.safetensors", 3000000, 1);
        hub_make_text(root, "acme/m", ".old/config.json", "{}\n");
        hub_make_text(root, "acme/m", ".hub.json",
                      "{\"revisions\": {\"v1\": {\"folder\": \".old\"}, \"refs/pr/1\": {\"folder\": \".old\"}}}");
        hub_make_text(root, "acme/moved", ".hub.json", "{\"renamed_to\": \"acme/m\"}");
        hub_make_text(root, "acme/gated", "config.json", "{}");
        hub_make_text(root, "acme/gated", ".hub.json", "{\"gated\": true}");
        hub_make_text(root, "acme/secret", "config.json", "{}");
        hub_make_text(root, "acme/secret", ".hub.json", "{\"private\": true}");
        hub_make_text(root, "acme/off", "config.json", "{}");
        hub_make_text(root, "acme/off", ".hub.json", "{\"disabled\": true}");
        hub_make_text(root, "plain", "config.json", "{}");
        hub_make_text(root, "acme/large", "a.json", "{}");
        hub_make_text(root, "acme/large", "b.json", "{}");
        hub_make_file(root, "acme/large", "model.bin", 24000000, 2); /* the client keeps pieces of 10 MB */
    }
    return root;
}

static void downloads_snapshots(void) {
    if (!hub_client_is_here()) {
        return;
    }
    const char *cache = pml_test_fresh_dir("snapshots");
    hub h = hub_start(make_root(), NULL, "--page 2 --token T --resolve-cache");
    const char *folder = hub_client(&h, cache, NULL, "snapshot acme/m");
    CU_ASSERT_TRUE(hub_snapshot_is_good(&h, "acme/m", folder));
    CU_ASSERT_STRING_EQUAL(hub_client(&h, cache, NULL, "verify acme/m"), "checked 4 wrong 0 missing 0");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(hub_client(&h, cache, NULL, "snapshot acme/moved"), "/models--acme--moved/snapshots/"));
    CU_ASSERT_PTR_NOT_NULL(strstr(hub_client(&h, cache, NULL, "file plain config.json"), "/config.json"));
    CU_ASSERT_PTR_NOT_NULL(strstr(hub_client(&h, cache, NULL, "file acme/m config.json refs/pr/1"), "/config.json"));
    CU_ASSERT_PTR_NOT_NULL(strstr(hub_client(&h, cache, "HF_TOKEN=T", "snapshot acme/gated"), "/snapshots/"));
    CU_ASSERT_TRUE(hub_blobs_are_good(cache));
    hub_stop(&h);
    CU_ASSERT_EQUAL(hub_count(&h, NULL, "tree-next") > 0, true);
    CU_ASSERT_EQUAL(hub_count(&h, "hub", "resolve-cache") > 0, true);
    CU_ASSERT_EQUAL(hub_count(&h, "cdn", NULL) > 0, true);
    CU_ASSERT_EQUAL(hub_count(&h, "cdn", "object"), hub_count(&h, "cdn", NULL));
}

static void lists_and_asks(void) {
    if (!hub_client_is_here()) {
        return;
    }
    const char *cache = pml_test_fresh_dir("lists");
    hub h = hub_start(make_root(), NULL, "--page 1");
    CU_ASSERT_STRING_EQUAL(hub_client(&h, cache, NULL, "models acme"), "acme/gated\nacme/large\nacme/m\nacme/off");
    CU_ASSERT_STRING_EQUAL(hub_client(&h, cache, NULL, "models acme 1"), "acme/gated");
    CU_ASSERT_STRING_EQUAL(hub_client(&h, cache, NULL, "tree acme/m"),
                           "config.json 23\nempty 0\nmodel.safetensors 3000000\nsub/folder/read me.txt 5");
    const char *main_commit = hub_client(&h, cache, NULL, "info acme/m"),
               *tag = hub_client(&h, cache, NULL, "info acme/m v1");
    CU_ASSERT_EQUAL(strlen(main_commit), 40);
    CU_ASSERT_EQUAL(strlen(tag), 40);
    CU_ASSERT_STRING_NOT_EQUAL(main_commit, tag);
    CU_ASSERT_STRING_EQUAL(hub_client(&h, cache, NULL, "info acme/m %s", tag), tag);
    hub_stop(&h);
}

static void names_refusals(void) {
    if (!hub_client_is_here()) {
        return;
    }
    static const struct {
        const char *action, *token, *exception;
    } cases[] = {
        {"snapshot acme/gated", NULL, "GatedRepoError"},
        {"info acme/off", NULL, "DisabledRepoError"},
        {"snapshot acme/none", "HF_TOKEN=T", "RepositoryNotFoundError"},
        {"snapshot acme/m none", NULL, "RevisionNotFoundError"},
        {"file acme/m none", NULL, "RemoteEntryNotFoundError"},
        {"snapshot acme/secret", "HF_TOKEN=T", NULL},
        {"snapshot acme/m", "HF_TOKEN=wrong", "HfHubHTTPError"},
    };
    const char *cache = pml_test_fresh_dir("refusals");
    hub h = hub_start(make_root(), NULL, "--token T");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *got = hub_client(&h, cache, cases[i].token, "%s", cases[i].action);
        bool fits = cases[i].exception != NULL ? strcmp(got, cases[i].exception) == 0 : strchr(got, '/') != NULL;
        if (!fits) {
            (void)printf("\n    %s: %s\n", cases[i].action, got);
        }
        CU_ASSERT_TRUE(fits);
    }
    hub_stop(&h);
}

static void survives_faults(void) {
    if (!hub_client_is_here()) {
        return;
    }
    static const char script[] = "tree-next status 503 Retry-After=0 x1\n"
                                 "object cut 50% x1\n"
                                 "resume status 429 Retry-After=0 x1\n"
                                 "resume ignore-range x1\n"
                                 "get:*/a.json status 429 Retry-After=0 x1\n";
    const char *cache = pml_test_fresh_dir("faults");
    hub h = hub_start(make_root(), script, "--page 2");
    const char *folder = hub_client(&h, cache, NULL, "snapshot acme/large");
    CU_ASSERT_TRUE(hub_snapshot_is_good(&h, "acme/large", folder));
    hub_stop(&h);
    size_t n_requests = 0, n_faults = 0;
    hub_request *requests = hub_requests(&h, &n_requests);
    for (size_t i = 0; i < n_requests; i++) {
        n_faults += requests[i].faults[0] != '\0';
    }
    free(requests);
    CU_ASSERT_TRUE(n_faults >= 3); /* whether it resumes depends on how fast the bytes came */
}

PML_TESTS("hub/official_client", PML_TEST(downloads_snapshots), PML_TEST(lists_and_asks), PML_TEST(names_refusals),
          PML_TEST(survives_faults))
