/* What pml-convert promises of its downloads, counted in the log of the fake hub: where the token goes, what a resumed
 * or repeated download asks for, how it heeds limits, what it does when the disk is full. */
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/hub/hub_fixture.h"

#define REPO "acme/m"
#define TOKEN "hf_SecretSecretSecret"
enum { LARGE_BYTES = 40000000 };

static const char *make_root(void) {
    static const char *root = NULL;
    if (root == NULL) {
        root = pml_test_fresh_dir("root");
        hub_make_text(root, REPO, "config.json", "{\"model_type\": \"none\"}\n");
        hub_make_file(root, REPO, "tokenizer.json", 50000, 3);
        hub_make_file(root, REPO, "model.safetensors", 3000000, 1);
        hub_make_text(root, "acme/gated", "config.json", "{}");
        hub_make_file(root, "acme/gated", "model.safetensors", 100000, 4);
        hub_make_text(root, "acme/gated", ".hub.json", "{\"gated\": true}");
        hub_make_text(root, "acme/private", "config.json", "{}");
        hub_make_text(root, "acme/private", ".hub.json", "{\"private\": true}");
        hub_make_text(root, "acme/disabled", ".hub.json", "{\"disabled\": true}");
        hub_make_text(root, "acme/moved", ".hub.json", "{\"renamed_to\": \"acme/m\"}");
        hub_make_text(root, "acme/large", "config.json", "{}");
        hub_make_file(root, "acme/large", "model.safetensors", LARGE_BYTES, 6);
    }
    return root;
}

/* ---- tokens ----------------------------------------------------------------------------------------------------- */
static size_t count_authorized(const hub *h, const char *host) {
    size_t n_requests = 0, count = 0;
    hub_request *requests = hub_requests(h, &n_requests);
    for (size_t i = 0; i < n_requests; i++) {
        count += requests[i].has_authorization && strcmp(requests[i].host, host) == 0;
    }
    free(requests);
    return count;
}

static void tokens_stay_at_home(void) {
    static const char *const scripts[] = {
        "",
        "revision redirect {cdn}{path} x1\n",
        "tree redirect {cdn}{path}?{query} x1\n",
        "get redirect {cdn}{path} x1\n",
        "get:*/config.json redirect {cdn}/elsewhere x1\n",
        "object redirect {hub}{path} x1\n",
        "tree header 'Link=<{cdn}/api/models/acme/m/tree/main?cursor=1>; rel=\"next\"' x1\n",
        "any redirect {cdn}{path}\n",
    };
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        for (size_t by_name = 0; by_name < 2; by_name++) {
            const char *cache = pml_test_path("%s/token-%zu-%zu", pml_test_temporary_dir(), i, by_name);
            char line[4096];
            hub h = hub_start(make_root(), scripts[i],
                              by_name ? "--token " TOKEN " --cdn-name localhost" : "--token " TOKEN);
            (void)hub_convert(&h, cache, "HF_TOKEN=" TOKEN, 60, line, "-vv download " REPO " --log-file '%s.log'",
                              cache);
            hub_stop(&h);
            CU_ASSERT_TRUE(count_authorized(&h, "hub") > 0);
            CU_ASSERT_EQUAL(count_authorized(&h, "cdn"), 0);
            CU_ASSERT_NOT_EQUAL(
                pml_test_command(NULL, "grep -rq " TOKEN " '%s' '%s.log' '%s.err'", cache, cache, cache), 0);
            CU_ASSERT_PTR_NULL(strstr(hub_messages(cache), "SecretSecret"));
        }
    }
}

/* From HTTPS to HTTP nothing follows, neither token nor download. The certificate counts only where it is named. */
static void downgrades_are_refused(void) {
    const char *pem = pml_test_path("%s/hub.pem", pml_test_temporary_dir());
    if (pml_test_command(
            NULL,
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext "
            "subjectAltName=IP:127.0.0.1 -keyout '%s.key' -out '%s.crt' 2>/dev/null && cat '%s.key' '%s.crt' > '%s'",
            pem, pem, pem, pem, pem) != 0) {
        pml_test_skip("no openssl command");
        return;
    }
    static const char *const variables[] = {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"};
    const char *options = pml_test_path("--token " TOKEN " --tls '%s'", pem);
    char line[4096];
    for (size_t i = 0; i < 3; i++) {
        const char *cache = pml_test_path("%s/tls-%zu", pml_test_temporary_dir(), i);
        hub h = hub_start(make_root(), NULL, options);
        CU_ASSERT_NOT_EQUAL(hub_convert(&h, cache, NULL, 60, line, "download " REPO), 0);
        const char *trusted = pml_test_path("HF_TOKEN=" TOKEN " %s='%s.crt'", variables[i], pem);
        CU_ASSERT_EQUAL(hub_convert(&h, cache, trusted, 60, line, "download " REPO), 0);
        hub_stop(&h);
    }
    static const char *const places[] = {"revision", "tree", "get", "object"};
    for (size_t i = 0; i < 4; i++) {
        const char *cache = pml_test_path("%s/downgrade-%zu", pml_test_temporary_dir(), i);
        hub h = hub_start(make_root(), pml_test_path("%s redirect {plain}{path}?{query}\n", places[i]), options);
        const char *trusted = pml_test_path("HF_TOKEN=" TOKEN " SSL_CERT_FILE='%s.crt'", pem);
        CU_ASSERT_NOT_EQUAL(hub_convert(&h, cache, trusted, 60, line, "download " REPO), 0);
        hub_stop(&h);
        CU_ASSERT_EQUAL(hub_count(&h, "plain", NULL), 0);
    }
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */
static void refusals_have_codes(void) {
    static const struct {
        const char *repo, *variables, *message;
        int code;
    } cases[] = {
        {"acme/none", NULL, "no token", 66},
        {"acme/none", "HF_TOKEN=T", NULL, 66},
        {"acme/private", NULL, "private", 66},
        {"acme/private", "HF_TOKEN=T", NULL, 0},
        {"acme/gated", NULL, "gated", 77},
        {"acme/gated", "HF_TOKEN=T", NULL, 0},
        {"acme/gated", "HF_TOKEN=wrong", "token", 77},
        {"acme/disabled", NULL, "disabled", 77},
        {"acme/moved", NULL, NULL, 0},
        {"acme/m@nope", NULL, "revision", 66},
        {"acme/m@../../x", NULL, NULL, 2},
        {"acme/../m", NULL, NULL, 2},
        {"acme/m/m", NULL, NULL, 2},
    };
    hub h = hub_start(make_root(), NULL, "--token T");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *cache = pml_test_path("%s/refusal-%zu", pml_test_temporary_dir(), i);
        char line[4096];
        int code = hub_convert(&h, cache, cases[i].variables, 60, line, "download '%s'", cases[i].repo);
        bool fits = code == cases[i].code &&
                    (cases[i].message == NULL || strstr(hub_messages(cache), cases[i].message) != NULL);
        if (!fits) {
            (void)printf("\n    %s %s: exit code %d instead of %d: %s\n",
                         cases[i].variables != NULL ? cases[i].variables : "", cases[i].repo, code, cases[i].code,
                         hub_messages(cache));
        }
        CU_ASSERT_TRUE(fits);
    }
    hub_stop(&h);
}

/* ---- what is asked for ------------------------------------------------------------------------------------------ */
static void calls_are_few(void) {
    const char *cache = pml_test_fresh_dir("calls");
    char folder[4096], again[4096];
    hub h = hub_start(make_root(), NULL, NULL);
    CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 60, folder, "download " REPO), 0);
    hub_stop(&h);
    CU_ASSERT_EQUAL(hub_count(&h, NULL, "revision"), 1);
    CU_ASSERT_EQUAL(hub_count(&h, NULL, "tree"), 1);
    CU_ASSERT_TRUE(hub_count(&h, NULL, "resolve") <= 3);
    CU_ASSERT_EQUAL(hub_bytes(&h), 3000000 + 50000 + 23);
    h = hub_start(make_root(), NULL, NULL);
    CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 60, again, "download " REPO), 0);
    hub_stop(&h);
    CU_ASSERT_STRING_EQUAL(again, folder);
    CU_ASSERT_TRUE(hub_count(&h, NULL, NULL) <= 1);
    h = hub_start(make_root(), NULL, NULL);
    CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 60, again, "download " REPO "@%s", strrchr(folder, '/') + 1), 0);
    hub_stop(&h);
    CU_ASSERT_EQUAL(hub_count(&h, NULL, NULL), 0);
}

/* Wrong bytes are fetched once more and then refused: twice the file and no more. */
static void wrong_bytes_are_fetched_twice(void) {
    static const char *const faults[] = {"flip 50%", "garbage"};
    for (size_t i = 0; i < 2; i++) {
        const char *cache = pml_test_path("%s/wrong-%zu", pml_test_temporary_dir(), i);
        char line[4096];
        hub h = hub_start(make_root(), pml_test_path("bytes:*/model.safetensors %s\n", faults[i]), NULL);
        CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 60, line, "download " REPO), 65);
        hub_stop(&h);
        CU_ASSERT_TRUE(hub_bytes(&h) >= 2u * 3000000u);
        CU_ASSERT_TRUE(hub_bytes(&h) <= 2u * 3000000u + 60000u);
        CU_ASSERT_PTR_NOT_NULL(strstr(hub_messages(cache), "model.safetensors"));
    }
}

/* ---- resuming --------------------------------------------------------------------------------------------------- */
enum { SLACK_BYTES = 8 << 20 }; /* what may be asked for again */

/* Cut once, within one run: the rest follows by range. */
static void cuts_are_resumed(void) {
    static const char *const cuts[] = {"cut 1%", "cut 50%", "cut 99.9%", "rst 50%", "stall 50%"};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        const char *cache = pml_test_path("%s/cut-%zu", pml_test_temporary_dir(), i);
        char folder[4096];
        hub h = hub_start(make_root(), pml_test_path("bytes:*/model.safetensors %s x1\n", cuts[i]), NULL);
        CU_ASSERT_EQUAL(hub_convert(&h, cache, "HF_HUB_DOWNLOAD_TIMEOUT=1", 60, folder, "download acme/large"), 0);
        CU_ASSERT_TRUE(hub_snapshot_is_good(&h, "acme/large", folder));
        hub_stop(&h);
        CU_ASSERT_TRUE(hub_bytes(&h) <= (uint64_t)LARGE_BYTES + SLACK_BYTES);
    }
}

/* Killed at a random place: the next run goes on from there. */
static void kills_are_resumed(void) {
    for (unsigned i = 0; i < 8; i++) {
        const char *cache = pml_test_path("%s/kill-%u", pml_test_temporary_dir(), i);
        char folder[4096];
        hub h = hub_start(make_root(), "bytes:*/model.safetensors drip 262144 4\n", NULL);
        (void)hub_convert_killed(&h, cache, NULL, 0.1 + 0.08 * i, "download acme/large");
        hub_stop(&h);
        uint64_t before = hub_bytes(&h);
        hub again = hub_start(make_root(), NULL, NULL);
        CU_ASSERT_EQUAL(hub_convert(&again, cache, NULL, 60, folder, "download acme/large"), 0);
        CU_ASSERT_TRUE(hub_snapshot_is_good(&again, "acme/large", folder));
        hub_stop(&again);
        CU_ASSERT_TRUE(before + hub_bytes(&again) <= (uint64_t)LARGE_BYTES + 2 * SLACK_BYTES);
        (void)pml_test_command(NULL, "rm -rf '%s'", cache);
    }
}

/* A lock whose holder hangs is waited for, but not forever, and nobody's file is the worse for it. */
static void held_locks_end(void) {
    const char *cache = pml_test_fresh_dir("locks");
    char folder[4096];
    hub h = hub_start(make_root(), NULL, NULL);
    CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 60, folder, "download " REPO), 0);
    const char *locks = pml_test_path("%s/.locks/models--acme--m", cache);
    CU_ASSERT_TRUE(pml_test_count_files(locks) >= 3);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "rm -rf '%s/models--acme--m'", cache), 0);
    CU_ASSERT_EQUAL(pml_test_command(NULL,
                                     "(for f in '%s'/*.lock; do flock \"$f\" sleep 20 </dev/null >/dev/null 2>&1 & "
                                     "echo $!; done) > '%s.pids'; sleep 0.2",
                                     locks, cache),
                    0);
    CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 15, folder, "download " REPO " --lock-timeout 20"), 0);
    CU_ASSERT_TRUE(hub_snapshot_is_good(&h, REPO, folder));
    hub_stop(&h);
    (void)pml_test_command(NULL, "kill $(cat '%s.pids')", cache);
}

/* ---- limits ----------------------------------------------------------------------------------------------------- */
/* Twice as many files as a window's quota: the client slows down by itself, and no request is in vain. */
static void limits_are_kept(void) {
    enum { N_FILES = 160 };
    const char *models = pml_test_fresh_dir("limits-root"), *cache = pml_test_fresh_dir("limits");
    char folder[4096];
    for (unsigned i = 0; i < N_FILES; i++) {
        hub_make_file(models, REPO, pml_test_path("part-%u.safetensors", i), 1000, i);
    }
    hub h = hub_start(models, NULL, "--limit resolvers:80:3");
    CU_ASSERT_EQUAL(hub_convert(&h, cache, "PML_HUB_TIME_SCALE=1", 120, folder, "download " REPO " --include '*'"), 0);
    CU_ASSERT_TRUE(hub_snapshot_is_good(&h, REPO, folder));
    hub_stop(&h);
    size_t n_requests = 0, n_refused = 0;
    hub_request *requests = hub_requests(&h, &n_requests);
    for (size_t i = 0; i < n_requests; i++) {
        n_refused += requests[i].status == 429;
    }
    free(requests);
    (void)printf("%zu requests, %zu refused ", n_requests, n_refused);
    CU_ASSERT_EQUAL(n_refused, 0);
    CU_ASSERT_EQUAL(hub_count(&h, NULL, "resolve"), N_FILES);
    CU_ASSERT_EQUAL(hub_count(&h, NULL, "object"), N_FILES);
}

/* ---- a full disk ------------------------------------------------------------------------------------------------ */
static void full_disks_leave_a_valid_cache(void) {
    const char *disk = pml_test_fresh_dir("disk");
    for (unsigned percent = 0; percent <= 100; percent += 5) {
        unsigned kib = (unsigned)(3050000ull * percent / 100 / 1024) + 64;
        if (mount("tmpfs", disk, "tmpfs", 0, pml_test_path("size=%uk", kib)) != 0) {
            pml_test_skip("a file system of a chosen size takes root");
            return;
        }
        char folder[4096];
        hub h = hub_start(make_root(), NULL, NULL);
        int code = hub_convert(&h, disk, NULL, 60, folder, "download " REPO);
        bool is_right = code == 74 || (code == 0 && hub_snapshot_is_good(&h, REPO, folder));
        if (!is_right) {
            (void)printf("\n    %u %%: exit code %d: %s\n", percent, code, hub_messages(disk));
        }
        CU_ASSERT_TRUE(is_right);
        CU_ASSERT_TRUE(hub_blobs_are_good(disk));
        hub_stop(&h);
        CU_ASSERT_EQUAL(umount(disk), 0);
    }
}

/* The same where no other file system can be had: files may only grow so far. */
static void file_limits_leave_a_valid_cache(void) {
    for (unsigned percent = 5; percent < 100; percent += 15) {
        const char *cache = pml_test_path("%s/limit-%u", pml_test_temporary_dir(), percent);
        char folder[4096];
        hub h = hub_start(make_root(), NULL, NULL);
        struct rlimit old = {0}, low = {0};
        (void)getrlimit(RLIMIT_FSIZE, &old);
        low = (struct rlimit){3000000ull * percent / 100, old.rlim_max};
        (void)setrlimit(RLIMIT_FSIZE, &low);
        int code = hub_convert(&h, cache, NULL, 60, folder, "download " REPO);
        (void)setrlimit(RLIMIT_FSIZE, &old);
        CU_ASSERT_EQUAL(code, 74);
        CU_ASSERT_TRUE(hub_blobs_are_good(cache));
        CU_ASSERT_EQUAL(hub_convert(&h, cache, NULL, 60, folder, "download " REPO), 0);
        CU_ASSERT_TRUE(hub_snapshot_is_good(&h, REPO, folder));
        hub_stop(&h);
    }
}

PML_TESTS("hub/client", PML_TEST(tokens_stay_at_home), PML_TEST(downgrades_are_refused), PML_TEST(refusals_have_codes),
          PML_TEST(calls_are_few), PML_TEST(wrong_bytes_are_fetched_twice), PML_TEST(cuts_are_resumed),
          PML_TEST(kills_are_resumed), PML_TEST(held_locks_end), PML_TEST(limits_are_kept),
          PML_TEST(full_disks_leave_a_valid_cache), PML_TEST(file_limits_leave_a_valid_cache))
