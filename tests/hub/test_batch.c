/* Batches against the fake hub: what is asked, what is kept, what one bad repository does to the others. */
#include <time.h>

#include "tests/hub/batch_repos.h"

#define TEST_MODEL "patchtst/hf-ci-prediction"

/* Three small repositories, or false after marking the test as skipped. */
static bool make_repos(const char *root) {
    return batch_repo(root, "a", TEST_MODEL) && batch_repo(root, "b", "bert/model") &&
           batch_repo(root, "c", "patchtst/hf-sharded");
}

static size_t count_lines(const char *path, const char *text) {
    size_t size = 0, n = 0;
    char *bytes = (char *)pml_test_read_file(path, &size);
    for (char *at = bytes, *line; (line = strsep(&at, "\n")) != NULL;) {
        n += strstr(line, text) != NULL;
    }
    free(bytes);
    return n;
}

static void one_bad_repository_stops_nothing(void) {
    const char *folder = pml_test_fresh_dir("bad"), *root = pml_test_path("%s/root", folder);
    const char *out = pml_test_path("%s/out", folder), *cache = pml_test_path("%s/cache", folder);
    if (!make_repos(root)) {
        return;
    }
    hub_make_text(root, "org/locked", ".hub.json", "{\"gated\": \"ask first\"}");
    hub_make_text(root, "org/locked", "config.json", "{}");
    hub_make_text(root, "org/empty", "README.md", "nothing here");
    hub_make_text(root, "org/broken", "config.json", "{");
    hub_make_file(root, "org/broken", "model.safetensors", 4000, 1);
    const char *list = batch_list(folder, "org/locked\norg/missing\norg/empty\norg/broken\n"
                                          "{\"source\":\"org/a\",\"revision\":\"nope\",\"output\":\"nope.pml\"}\n"
                                          "org/a\norg/b\nhf://org/c@main\n");
    hub h = hub_start(root, NULL, NULL);
    CU_ASSERT_EQUAL(batch_run(&h, cache, list, out), 1);
    const char *report = pml_test_path("%s/report.jsonl", out);
    CU_ASSERT_EQUAL(count_lines(report, "\"status\":\"published\""), 3);
    CU_ASSERT_EQUAL(count_lines(report, "\"status\":\"failed\""), 5);
    CU_ASSERT_EQUAL(count_lines(report, "\"exit_code\":77"), 1);
    CU_ASSERT_EQUAL(count_lines(report, "\"cause\":\"remote\""), 3); /* locked, missing, no such revision */
    CU_ASSERT_PTR_NOT_NULL(strstr(batch_text(out), "org--locked failed"));
    CU_ASSERT_TRUE(batch_is_tidy(folder));
    /* Again: nobody is asked for what failed for good, and once each for what may have changed. */
    size_t before = hub_count(&h, NULL, NULL);
    CU_ASSERT_EQUAL(batch_run(&h, cache, list, out), 1);
    CU_ASSERT_EQUAL(count_lines(report, "\"status\":\"up to date\""), 3);
    CU_ASSERT_TRUE(hub_count(&h, NULL, NULL) - before <= 5);
    hub_stop(&h);
}

static void warm_runs_ask_once_or_never(void) {
    const char *folder = pml_test_fresh_dir("warm"), *root = pml_test_path("%s/root", folder);
    const char *out = pml_test_path("%s/out", folder), *cache = pml_test_path("%s/cache", folder);
    char commit[64] = "";
    if (!make_repos(root)) {
        return;
    }
    hub h = hub_start(root, NULL, NULL);
    CU_ASSERT_EQUAL(batch_run(&h, cache, batch_list(folder, "org/a\norg/b\norg/c\n"), out), 0);
    CU_ASSERT_EQUAL(hub_count(&h, NULL, "revision"), 3);
    CU_ASSERT_EQUAL(hub_count(&h, NULL, "tree"), 3);
    const size_t before = hub_count(&h, NULL, NULL);
    CU_ASSERT_EQUAL(batch_run(&h, cache, pml_test_path("%s/list.txt", folder), out), 0);
    CU_ASSERT_EQUAL(hub_count(&h, NULL, NULL) - before, 3);
    /* Pinned to a commit: not a single request, not even without the journal. */
    char *text = NULL;
    (void)pml_test_command(&text, "ls '%s/models--org--a/snapshots'", cache);
    (void)snprintf(commit, sizeof commit, "%.40s", text);
    free(text);
    const char *pinned = batch_list(folder, pml_test_path("org/a@%s\n", commit));
    (void)pml_test_command(NULL, "rm -r '%s/.pml-batch'", out);
    CU_ASSERT_EQUAL(batch_run(&h, cache, pinned, out), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(batch_text(out), "1 up to date"));
    CU_ASSERT_EQUAL(hub_count(&h, NULL, NULL) - before, 3);
    hub_stop(&h);
}

static void a_stopped_batch_goes_on(void) {
    const char *folder = pml_test_fresh_dir("stop"), *root = pml_test_path("%s/root", folder);
    const char *out = pml_test_path("%s/out", folder), *cache = pml_test_path("%s/cache", folder);
    if (!make_repos(root)) {
        return;
    }
    const char *list = batch_list(folder, "org/a\norg/b\norg/c\n");
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < 3; i++) {
        /* One file of org/b never comes to its end. */
        hub h = hub_start(root, "bytes:*org/b/*model.safetensors stall 5000\n", NULL);
        (void)pml_test_command(NULL, "rm -rf '%s' '%s'", out, cache);
        const pid_t pid = batch_start(&h, cache, list, out, NULL);
        const char *done = pml_test_path("%s/org--c.pml", out);
        for (int tries = 0; tries < 2000 && access(done, F_OK) != 0; tries++) {
            (void)nanosleep(&(struct timespec){0, 10000000}, NULL);
        }
        CU_ASSERT_EQUAL(kill(pid, signals[i]), 0);
        CU_ASSERT_EQUAL(batch_wait(pid), 75);
        CU_ASSERT_PTR_NOT_NULL(strstr(batch_text(out), "the same command goes on"));
        CU_ASSERT_NOT_EQUAL(pml_test_command(NULL, "grep -lsa 'HF_HUB_CACHE=%s' /proc/[0-9]*/environ", cache), 0);
        char *left = NULL;
        (void)pml_test_command(&left, "find '%s' -name '.*.tmp.*' -o -name 'lock-*'", out);
        CU_ASSERT_STRING_EQUAL(left, "");
        free(left);
        hub_stop(&h);
        h = hub_start(root, NULL, NULL);
        CU_ASSERT_EQUAL(batch_run(&h, cache, list, out), 0);
        CU_ASSERT_EQUAL(count_lines(pml_test_path("%s/report.jsonl", out), "\"status\":\"up to date\""), 2);
        /* What was resolved before the stop still holds: only org/b's folder is asked about. */
        CU_ASSERT_TRUE(hub_count(&h, NULL, "revision") <= 1);
        CU_ASSERT_TRUE(batch_is_tidy(folder));
        hub_stop(&h);
    }
}

static void failures_for_now_are_tried_again(void) {
    const char *folder = pml_test_fresh_dir("now"), *root = pml_test_path("%s/root", folder);
    const char *out = pml_test_path("%s/out", folder), *cache = pml_test_path("%s/cache", folder);
    if (!make_repos(root)) {
        return;
    }
    const char *list = batch_list(folder, "org/a\norg/b\norg/c\n");
    hub h = hub_start(root, "hub:*org/b* status 503\n", NULL);
    CU_ASSERT_EQUAL(batch_run(&h, cache, list, out), 75);
    CU_ASSERT_EQUAL(count_lines(pml_test_path("%s/report.jsonl", out), "\"cause\":\"transient\""), 1);
    CU_ASSERT_EQUAL(count_lines(pml_test_path("%s/report.jsonl", out), "\"status\":\"published\""), 2);
    hub_stop(&h);
    h = hub_start(root, NULL, NULL);
    CU_ASSERT_EQUAL(batch_run(&h, cache, list, out), 0);
    hub_stop(&h);
}

static void a_new_commit_is_no_silent_replacement(void) {
    const char *folder = pml_test_fresh_dir("commit"), *root = pml_test_path("%s/root", folder);
    const char *out = pml_test_path("%s/out", folder), *cache = pml_test_path("%s/cache", folder);
    if (!make_repos(root)) {
        return;
    }
    const char *list = batch_list(folder, "org/a\n");
    hub h = hub_start(root, NULL, NULL);
    CU_ASSERT_EQUAL(batch_run(&h, cache, list, out), 0);
    /* Another commit with the same model is the same content. */
    hub_make_text(root, "org/a", "README.md", "a word");
    CU_ASSERT_EQUAL(batch_run(&h, cache, list, out), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(batch_text(out), "1 up to date"));
    /* Another model is not. */
    (void)pml_test_command(NULL, "cp -f '%s'/org/b/* '%s'/org/a/", root, root);
    CU_ASSERT_EQUAL(batch_run(&h, cache, list, out), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(batch_text(out), "exists and differs"));
    CU_ASSERT_EQUAL(batch_wait(batch_start(&h, cache, list, out, "--force")), 0);
    CU_ASSERT_TRUE(batch_is_tidy(folder));
    hub_stop(&h);
}

static void shards_share_cache_and_folder(void) {
    const char *folder = pml_test_fresh_dir("shards"), *root = pml_test_path("%s/root", folder);
    const char *out = pml_test_path("%s/out", folder), *cache = pml_test_path("%s/cache", folder);
    if (!make_repos(root)) {
        return;
    }
    /* Every repository in two dtypes: two shards fetch the same files at the same time. */
    const char *list = batch_list(folder, "org/a\n{\"source\":\"org/a\",\"dtype\":\"bf16\"}\norg/b\n"
                                          "{\"source\":\"org/b\",\"dtype\":\"bf16\"}\norg/c\n"
                                          "{\"source\":\"org/c\",\"dtype\":\"bf16\"}\n");
    hub h = hub_start(root, "bytes drip 16384 5\n", NULL);
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        pids[i] = batch_start(&h, cache, list, out, pml_test_path("--shard=%d/4", i));
    }
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(batch_wait(pids[i]), 0);
    }
    CU_ASSERT_EQUAL(count_lines(pml_test_path("%s/report.jsonl", out), "\"content_digest\":\""), 6);
    CU_ASSERT_TRUE(hub_blobs_are_good(cache));
    CU_ASSERT_TRUE(batch_is_tidy(folder));
    CU_ASSERT_EQUAL(batch_run(&h, cache, list, out), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(batch_text(out), "6 up to date"));
    hub_stop(&h);
}

static void the_token_stays_secret(void) {
    const char *folder = pml_test_fresh_dir("token"), *root = pml_test_path("%s/root", folder);
    const char *cache = pml_test_path("%s/cache", folder), *out = pml_test_path("%s/out", folder);
    if (!batch_repo(root, "a", TEST_MODEL)) {
        return;
    }
    hub_make_text(root, "org/a", ".hub.json", "{\"gated\": true}");
    const char *list = batch_list(folder, "org/a\n");
    hub h = hub_start(root, NULL, "--token hf_SeCrEt");
    char *last = malloc(4096);
    CU_ASSERT_PTR_NOT_NULL_FATAL(last);
    CU_ASSERT_EQUAL(hub_convert(&h, cache, "HF_TOKEN=hf_wrong", 60, last, "batch '%s' -o '%s' --log-file '%s/log' -vv",
                                list, out, folder),
                    1);
    CU_ASSERT_EQUAL(hub_convert(&h, cache, "HF_TOKEN=hf_SeCrEt", 60, last,
                                "batch '%s' -o '%s' --log-file '%s/log' -vv --retry-failed", list, out, folder),
                    0);
    CU_ASSERT_STRING_EQUAL(last, pml_test_path("%s/report.jsonl", out));
    free(last);
    CU_ASSERT_NOT_EQUAL(pml_test_command(NULL,
                                         "grep -r -q 'hf_SeCrEt\\|hf_wrong' '%s/out' '%s/log' '%s/cache' '%s.err'",
                                         folder, folder, folder, cache),
                        0);
    hub_stop(&h);
}

/* What `pml-convert batch QUERY -o OUT` gives; stdout's last line has to be the report. */
static int batch_query(const hub *h, const char *folder, const char *query) {
    char *last = malloc(4096);
    CU_ASSERT_PTR_NOT_NULL_FATAL(last);
    const char *out = pml_test_path("%s/out", folder), *cache = pml_test_path("%s/cache", folder);
    const int code = hub_convert(h, cache, NULL, 120, last, "batch -o '%s' --jobs 2 %s", out, query);
    CU_ASSERT_TRUE(code != 0 || strcmp(last, pml_test_path("%s/report.jsonl", out)) == 0);
    free(last);
    return code;
}

static void a_query_is_a_manifest(void) {
    const char *folder = pml_test_fresh_dir("query"), *root = pml_test_path("%s/root", folder);
    const char *cache = pml_test_path("%s/cache", folder), *report = pml_test_path("%s/out/report.jsonl", folder);
    if (!make_repos(root)) {
        return;
    }
    hub_make_text(root, "org/b", ".hub.json", "{\"tags\": [\"bert\", \"tiny\"]}");
    hub_make_text(root, "other/d", "README.md", "not one of them");
    hub h = hub_start(root, NULL, NULL);
    CU_ASSERT_EQUAL(batch_query(&h, folder, "--author org --filter bert --filter tiny"), 0);
    CU_ASSERT_EQUAL(count_lines(report, "\"id\":\"org--b\""), 1);
    CU_ASSERT_EQUAL(count_lines(report, "\"manifest_sha256\""), 1);
    CU_ASSERT_EQUAL(batch_query(&h, folder, "--author org"), 0);
    CU_ASSERT_EQUAL(count_lines(report, "\"manifest_sha256\""), 3);
    CU_ASSERT_EQUAL(count_lines(report, "\"status\":\"up to date\""), 1);
    CU_ASSERT_EQUAL(hub_count(&h, NULL, "models"), 2);
    /* The first answer holds, offline too, until it is asked for again. */
    CU_ASSERT_TRUE(batch_repo(root, "e", TEST_MODEL));
    CU_ASSERT_EQUAL(batch_query(&h, folder, "--author org --offline"), 0);
    CU_ASSERT_EQUAL(hub_count(&h, NULL, "models"), 2);
    CU_ASSERT_EQUAL(count_lines(report, "\"status\":\"up to date\""), 3);
    CU_ASSERT_EQUAL(batch_query(&h, folder, "--author org --refresh"), 0);
    CU_ASSERT_EQUAL(count_lines(report, "\"manifest_sha256\""), 4);
    /* What is no query, and queries without an answer. */
    CU_ASSERT_EQUAL(batch_query(&h, folder, "--author nobody"), 66);
    CU_ASSERT_EQUAL(batch_query(&h, folder, "--search x --offline"), 66);
    CU_ASSERT_EQUAL(batch_query(&h, folder, "--author org list.txt"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(hub_messages(cache), "give one of them"));
    CU_ASSERT_EQUAL(batch_query(&h, folder, ""), 2);
    hub_stop(&h);
}

static void a_long_query_has_pages(void) {
    const char *folder = pml_test_fresh_dir("pages"), *root = pml_test_path("%s/root", folder);
    (void)pml_test_command(NULL,
                           "mkdir -p '%s/many' && cd '%s/many' && for i in $(seq 1000 2003); do mkdir r$i && "
                           "echo x >r$i/README.md; done",
                           root, root);
    hub h = hub_start(root, NULL, NULL);
    /* One shard of as many as there are jobs: one is tried, and has no model. */
    CU_ASSERT_EQUAL(batch_query(&h, folder, "--author many --limit 1002 --shard 1001/1002"), 1);
    CU_ASSERT_EQUAL(hub_count(&h, NULL, "models"), 2);
    char *text = NULL;
    (void)pml_test_command(&text, "cat '%s'/out/.pml-batch/query-*.txt | grep -v '#' | sort -u | wc -l", folder);
    CU_ASSERT_EQUAL(strtol(text, NULL, 10), 1002);
    free(text);
    CU_ASSERT_EQUAL(count_lines(pml_test_path("%s/out/report.jsonl", folder), "\"not started\""), 1001);
    hub_stop(&h);
}

static void answers_that_are_no_list_are_refused(void) {
    /* What is no JSON is taken for a cut reply, and asked for again and again. */
    static const char *const bodies[] = {
        "{}", "[1]", "[{}]", "[{\"id\":1}]", "[{\"id\":\"../x\"}]", "[{\"id\":\"a/b\"}", "x",
    };
    const char *folder = pml_test_fresh_dir("answers"), *root = pml_test_path("%s/root", folder);
    if (!batch_repo(root, "a", TEST_MODEL)) {
        return;
    }
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        hub h = hub_start(root, pml_test_path("models body '%s'\n", bodies[i]), NULL);
        CU_ASSERT_EQUAL(batch_query(&h, folder, "--author org"), i < 5 ? 65 : 69);
        hub_stop(&h);
    }
    char *left = NULL;
    (void)pml_test_command(&left, "find '%s/out' -type f", folder);
    CU_ASSERT_STRING_EQUAL(left, "");
    free(left);
}

/* Figure G18: processes of one batch share what they know of the hub's limits, and ask twice per repository and once
 * per file. */
static void limits_of_the_hub_are_kept(void) {
    enum { N_REPOS = 8, N_FILES = 2 };
    const char *folder = pml_test_fresh_dir("limits"), *root = pml_test_path("%s/root", folder);
    char lines[N_REPOS * 16] = "", *last = malloc(4096);
    CU_ASSERT_PTR_NOT_NULL_FATAL(last);
    for (int i = 0; i < N_REPOS; i++) {
        if (!batch_repo(root, pml_test_path("r%d", i), TEST_MODEL)) {
            free(last);
            return;
        }
        (void)snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "org/r%d\n", i);
    }
    const char *list = batch_list(folder, lines), *cache = pml_test_path("%s/cache", folder);
    hub h = hub_start(root, NULL, "--limit api:6:1");
    CU_ASSERT_EQUAL(
        hub_convert(&h, cache, "PML_HUB_TIME_SCALE=1", 120, last, "batch '%s' -o '%s/out' --jobs 2", list, folder), 0);
    size_t n = 0, n_refused = 0;
    hub_request *requests = hub_requests(&h, &n);
    for (size_t i = 0; i < n; i++) {
        n_refused += requests[i].status == 429;
    }
    free(requests);
    CU_ASSERT_TRUE(n_refused <= 2); /* two that begin at the same time know nothing of each other yet */
    CU_ASSERT_EQUAL(hub_count(&h, NULL, "revision") + hub_count(&h, NULL, "tree") - n_refused, 2 * N_REPOS);
    CU_ASSERT_EQUAL(hub_count(&h, "hub", "resolve"), N_FILES * N_REPOS);
    hub_stop(&h);
    free(last);
}

/* Figure G21: cache and outputs lie on a disk with k % of what they need. The batch answers, the cache stays valid,
 * what is there is whole; with room the same command makes the rest. */
static void a_small_disk(void) {
    const char *folder = pml_test_fresh_dir("disk"), *root = pml_test_path("%s/root", folder);
    if (!make_repos(root)) {
        return;
    }
    if (pml_test_command(NULL, "unshare -m sh -c 'mount -t tmpfs tmpfs /mnt'") != 0) {
        pml_test_skip("a small disk needs root and its own mounts");
        return;
    }
    const char *list = batch_list(folder, "org/a\norg/b\norg/c\n"), *disk = pml_test_path("%s/disk", folder);
    const char *check = pml_test_path("%s/check.sh", folder);
    static const char text[] =
        "# check.sh SIZE DISK LIST PROGRAM HUB: runs the batch on a disk of SIZE KiB, then on one with room\n"
        "mkdir -p $2 && mount -t tmpfs -o size=$1k tmpfs $2 && cd $2 || exit 91\n"
        "run() { env -i PATH=/usr/bin:/bin HOME=$2 HF_ENDPOINT=$5 HF_HUB_CACHE=$2/cache PML_HUB_TIME_SCALE=0.01 \\\n"
        "  ASAN_OPTIONS=allocator_may_return_null=1 $4 batch $3 -o $2/out --jobs 2 >$3.text 2>&1; }\n"
        "run \"$@\"; code=$?\n"
        "case $code in 0|1|69|74|75) ;; *) cat $3.text; exit 92;; esac\n"
        "for f in cache/*/blobs/*; do case $f in *.incomplete|*'*') continue;; esac\n"
        "  n=${f##*/}; if [ ${#n} = 64 ]; then h=$(sha256sum $f | cut -c 1-64); else h=$(git hash-object $f); fi\n"
        "  [ $h = $n ] || { echo $f; exit 93; }; done\n"
        "for f in out/*.pml; do [ ! -f $f ] || $4 verify -q $f || exit 94; done\n"
        "mount -o remount,size=64m $2 || exit 95\n"
        "run \"$@\" || { cat $3.text; exit 96; }\n"
        "[ $(ls out/*.pml | wc -l) = 3 ] || exit 97\n"
        "[ -z \"$(find $2 -name '.*.tmp.*' -o -name 'lock-*' -o -name '*.incomplete')\" ] || exit 98\n"
        "[ $1 -gt 900 ] || [ $code != 0 ] || exit 99\n";
    pml_test_write_file(check, text, strlen(text));
    hub h = hub_start(root, NULL, NULL);
    for (unsigned percent = 0; percent <= 100; percent += 10) {
        char *output = NULL;
        const int code = pml_test_command(&output, "unshare -m sh '%s' %u '%s' '%s' '%s/pml-convert' %s", check,
                                          16 + percent * 8, disk, list, pml_test_binary_dir(), h.url);
        CU_ASSERT_EQUAL(code, percent >= 60 && code == 99 ? 99 : 0);
        if (code != 0 && code != 99) {
            (void)printf("\n    %u %%: exit %d\n%s\n", percent, code, output);
        }
        free(output);
    }
    hub_stop(&h);
}

PML_TESTS("hub/batch", PML_TEST(one_bad_repository_stops_nothing), PML_TEST(warm_runs_ask_once_or_never),
          PML_TEST(a_stopped_batch_goes_on), PML_TEST(failures_for_now_are_tried_again),
          PML_TEST(a_new_commit_is_no_silent_replacement), PML_TEST(shards_share_cache_and_folder),
          PML_TEST(the_token_stays_secret), PML_TEST(a_query_is_a_manifest), PML_TEST(a_long_query_has_pages),
          PML_TEST(answers_that_are_no_list_are_refused), PML_TEST(limits_of_the_hub_are_kept), PML_TEST(a_small_disk))
