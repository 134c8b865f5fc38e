/* One cache, two clients: what pml-convert downloads the official client reads, and the reverse. */
#include "tests/hub/hub_client.h"

static const char *root;

static const char *make_root(void) {
    if (root == NULL) {
        root = pml_test_fresh_dir("root");
        hub_make_text(root, "acme/m", "config.json", "{\"model_type\": \"none\"}\n");
        hub_make_file(root, "acme/m", "tokenizer.json", 50000, 3);
        hub_make_text(root, "acme/m", "1_Pooling/config.json", "{}\n");
        hub_make_file(root, "acme/m", "model.safetensors", 3000000, 1);
        hub_make_text(root, "acme/m", ".old/config.json", "{}\n");
        hub_make_file(root, "acme/m", ".old/model.safetensors", 100000, 4);
        hub_make_text(root, "acme/m", ".hub.json",
                      "{\"revisions\": {\"v1\": {\"folder\": \".old\"}, \"refs/pr/1\": {\"folder\": \".old\"}}}");
        hub_make_text(root, "plain", "config.json", "{}");
        hub_make_file(root, "plain", "model.safetensors", 1000, 5);
    }
    return root;
}

static void ours_is_theirs(void) {
    if (!hub_client_is_here()) {
        return;
    }
    const char *cache = pml_test_fresh_dir("ours"), *offline = "HF_HUB_OFFLINE=1";
    char folder[4096] = "", old[4096] = "", plain[4096] = "";
    hub h = hub_start(make_root(), NULL, "--page 2");
    CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 60, folder, "download acme/m"), 0);
    CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 60, old, "download acme/m@refs/pr/1"), 0);
    CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 60, old, "download acme/m@v1"), 0);
    CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 60, plain, "download plain"), 0);
    CU_ASSERT_TRUE(hub_snapshot_is_good(&h, "acme/m", folder));
    CU_ASSERT_STRING_EQUAL(hub_client(&h, cache, NULL, "verify acme/m"), "checked 4 wrong 0 missing 0");
    hub_stop(&h);
    CU_ASSERT_STRING_EQUAL(hub_client(&h, cache, offline, "snapshot acme/m"), folder);
    CU_ASSERT_STRING_EQUAL(hub_client(&h, cache, NULL, "snapshot acme/m main offline"), folder);
    CU_ASSERT_STRING_EQUAL(hub_client(&h, cache, offline, "snapshot acme/m v1"), old);
    CU_ASSERT_STRING_EQUAL(hub_client(&h, cache, offline, "snapshot acme/m refs/pr/1"), old);
    CU_ASSERT_STRING_EQUAL(hub_client(&h, cache, offline, "snapshot acme/m %s", strrchr(old, '/') + 1), old);
    CU_ASSERT_STRING_EQUAL(hub_client(&h, cache, offline, "snapshot plain"), plain);
    CU_ASSERT_STRING_EQUAL(hub_client(&h, cache, offline, "file acme/m 1_Pooling/config.json"),
                           pml_test_path("%s/1_Pooling/config.json", folder));
    const char *scan = hub_client(&h, cache, NULL, "scan");
    if (strstr(scan, "warning") != NULL || strstr(scan, "acme/m") == NULL) {
        CU_FAIL("the official client finds something wrong with our cache");
        (void)printf("\n%s\n", scan);
    }
    CU_ASSERT_TRUE(hub_blobs_are_good(cache));
}

static void theirs_is_ours(void) {
    if (!hub_client_is_here()) {
        return;
    }
    const char *cache = pml_test_fresh_dir("theirs");
    char folder[4096] = "", old[4096] = "";
    hub h = hub_start(make_root(), NULL, NULL);
    const char *snapshot = hub_client(&h, cache, NULL, "snapshot acme/m");
    const char *old_snapshot = hub_client(&h, cache, NULL, "snapshot acme/m v1");
    hub_stop(&h);
    hub again = hub_start(make_root(), NULL, NULL);
    CU_ASSERT_EQUAL(hub_convert(&again, cache, NULL, 60, folder, "download acme/m"), 0);
    CU_ASSERT_STRING_EQUAL(folder, snapshot);
    CU_ASSERT_EQUAL(hub_convert(&again, cache, NULL, 60, old, "download acme/m --revision v1"), 0);
    CU_ASSERT_STRING_EQUAL(old, old_snapshot);
    hub_stop(&again);
    CU_ASSERT_EQUAL(hub_bytes(&again), 0);
    CU_ASSERT_EQUAL(hub_convert(&again, cache, "HF_HUB_OFFLINE=1", 60, folder, "download acme/m"), 0);
    CU_ASSERT_STRING_EQUAL(folder, snapshot);
    CU_ASSERT_EQUAL(hub_convert(&again, cache, NULL, 60, folder, "download acme/m --offline"), 0);
    CU_ASSERT_STRING_EQUAL(folder, snapshot);
    CU_ASSERT_EQUAL(hub_convert(&again, cache, NULL, 60, old, "cache verify"), 0);
}

/* One file by them, the rest by us, and the other way round: blobs and links mix. */
static void halves_join(void) {
    if (!hub_client_is_here()) {
        return;
    }
    const char *cache = pml_test_fresh_dir("halves");
    char folder[4096] = "";
    hub h = hub_start(make_root(), NULL, NULL);
    const char *file = hub_client(&h, cache, NULL, "file acme/m model.safetensors");
    CU_ASSERT_PTR_NOT_NULL(strstr(file, "/model.safetensors"));
    hub_stop(&h);
    hub again = hub_start(make_root(), NULL, NULL);
    CU_ASSERT_EQUAL(hub_convert(&again, cache, NULL, 60, folder, "download acme/m"), 0);
    CU_ASSERT_TRUE(hub_snapshot_is_good(&again, "acme/m", folder));
    hub_stop(&again);
    CU_ASSERT_TRUE(hub_bytes(&again) < 100000);

    const char *other = pml_test_fresh_dir("other-halves");
    h = hub_start(make_root(), NULL, NULL);
    CU_ASSERT_EQUAL(hub_convert(&h, other, NULL, 60, folder, "download acme/m --include 'model*'"), 0);
    hub_stop(&h);
    again = hub_start(make_root(), NULL, NULL);
    CU_ASSERT_STRING_EQUAL(hub_client(&again, other, NULL, "snapshot acme/m"), folder);
    CU_ASSERT_TRUE(hub_snapshot_is_good(&again, "acme/m", folder));
    hub_stop(&again);
    CU_ASSERT_TRUE(hub_bytes(&again) < 100000);
}

/* A poisoned blob of theirs (they never look at hashes) is found, and replaced. */
static void poison_is_found(void) {
    if (!hub_client_is_here()) {
        return;
    }
    const char *cache = pml_test_fresh_dir("poison");
    char folder[4096] = "";
    hub h = hub_start(make_root(), "object flip 50%\n", NULL);
    const char *snapshot = hub_client(&h, cache, NULL, "snapshot acme/m");
    hub_stop(&h);
    CU_ASSERT_PTR_NOT_NULL(strstr(snapshot, "/snapshots/"));
    CU_ASSERT_FALSE(hub_blobs_are_good(cache));
    CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 60, folder, "cache verify"), 1);
    h = hub_start(make_root(), NULL, NULL);
    CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 60, folder, "download acme/m"), 0);
    CU_ASSERT_TRUE(hub_snapshot_is_good(&h, "acme/m", folder));
    hub_stop(&h);
    CU_ASSERT_TRUE(hub_blobs_are_good(cache));
    CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 60, folder, "cache verify"), 0);
}

/* A real model converts from either cache without a hub, into the same file. */
static void converts_offline(void) {
    const char *golden = pml_test_golden("patchtst/hf-ci-prediction");
    if (golden == NULL) {
        pml_test_skip("patchtst/hf-ci-prediction");
        return;
    }
    if (!hub_client_is_here()) {
        return;
    }
    const char *models = pml_test_fresh_dir("models"), *ours = pml_test_fresh_dir("convert-ours");
    const char *theirs = pml_test_fresh_dir("convert-theirs");
    char line[4096] = "";
    CU_ASSERT_EQUAL(pml_test_command(NULL, "mkdir -p '%s/acme' && cp -r '%s' '%s/acme/tst'", models, golden, models),
                    0);
    hub h = hub_start(models, NULL, NULL);
    CU_ASSERT_EQUAL(hub_convert(&h, ours, NULL, 60, line, "download acme/tst"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(hub_client(&h, theirs, NULL, "snapshot acme/tst"), "/snapshots/"));
    hub_stop(&h);
    const char *a = pml_test_path("%s/a.pml", ours), *b = pml_test_path("%s/b.pml", theirs);
    CU_ASSERT_EQUAL(hub_convert(&h, ours, "HF_HUB_OFFLINE=1", 60, line, "acme/tst -o '%s'", a), 0);
    CU_ASSERT_STRING_EQUAL(line, a);
    CU_ASSERT_EQUAL(hub_convert(&h, theirs, "HF_HUB_OFFLINE=1", 60, line, "hf://acme/tst@main -o '%s'", b), 0);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "cmp '%s' '%s'", a, b), 0);
}

PML_TESTS("hub/interchange", PML_TEST(ours_is_theirs), PML_TEST(theirs_is_ours), PML_TEST(halves_join),
          PML_TEST(poison_is_found), PML_TEST(converts_offline))
