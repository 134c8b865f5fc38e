/* Figure G5: a batch of three repositories is killed (SIGKILL) at a random point and run again. Afterwards models and
 * cache are those of a run that nobody disturbed, byte for byte, nothing unfinished is left, and no file that was
 * verified before the kill was asked for again.
 *
 * PML_TEST_KILLS says at how many points; each begins with nothing. */
#include <time.h>

#include "tests/hub/batch_repos.h"

/* Files trickle, so that a good part of the points falls into downloads. */
static const char script[] = "bytes drip 8192 4\n";

static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void pause_for(double seconds) {
    const struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    (void)nanosleep(&t, NULL);
}

/* Below `cache`, the blob that a request was for; "" for one that is none of the repositories' files. */
static const char *blob_of(const hub_request *request, const char *reference) {
    char repo[64] = "", file[256] = "", target[256] = "";
    const char *form = strncmp(request->path, "/lfs/", 5) == 0 ? "/lfs/org/%63[^/]/-/%*[^/]/%255s"
                                                               : "/org/%63[^/]/resolve/%*[^/]/%255s";
    char *found = NULL;
    if (sscanf(request->path, form, repo, file) != 2) {
        return "";
    }
    (void)pml_test_command(&found, "readlink '%s'/models--org--%s/snapshots/*/'%s' | tr -d '\\n'", reference, repo,
                           file);
    const char *slash = strrchr(found, '/');
    (void)snprintf(target, sizeof target, "models--org--%s/blobs/%s", repo, slash != NULL ? slash + 1 : "");
    free(found);
    return slash != NULL ? pml_test_path("%s", target) : "";
}

static size_t count_asked_again(const hub *h, size_t first, const char *blobs_then, const char *reference) {
    size_t n = 0, n_again = 0;
    hub_request *requests = hub_requests(h, &n);
    for (size_t i = first; i < n; i++) {
        if (requests[i].is_bytes && requests[i].bytes > 0) {
            const char *blob = blob_of(&requests[i], reference);
            if (blob[0] == '\0' || strstr(blobs_then, blob) != NULL) {
                (void)printf("\n    asked again: %s %s\n", requests[i].path, requests[i].range);
                n_again++;
            }
        }
    }
    free(requests);
    return n_again;
}

static void end_state_is_that_of_an_undisturbed_run(void) {
    const char *folder = pml_test_fresh_dir("kill"), *root = pml_test_path("%s/root", folder);
    const char *reference = pml_test_path("%s/reference", folder);
    if (!batch_repo(root, "a", "patchtst/hf-ci-prediction") || !batch_repo(root, "b", "bert/model") ||
        !batch_repo(root, "c", "patchtst/hf-sharded")) {
        return;
    }
    const char *list = batch_list(folder, "org/a\norg/b\n{\"source\":\"org/c\",\"dtype\":\"bf16\"}\n");
    hub h = hub_start(root, script, NULL);
    double start = now();
    CU_ASSERT_EQUAL_FATAL(batch_run(&h, pml_test_path("%s.cache", reference), list, reference), 0);
    const double whole = now() - start;
    hub_stop(&h);

    const char *setting = getenv("PML_TEST_KILLS");
    const int n_kills = setting != NULL ? (int)strtol(setting, NULL, 10) : 6;
    int n_killed = 0;
    uint64_t random = 20240607;
    /* One that came too late does not count. */
    for (int k = 0; k < 4 * n_kills && n_killed < n_kills; k++) {
        const char *out = pml_test_path("%s/out", folder), *cache = pml_test_path("%s/cache", folder);
        random = random * 6364136223846793005u + 1442695040888963407u;
        const double point = whole * (double)(random >> 40) / (double)(1u << 24);
        (void)pml_test_command(NULL, "rm -rf '%s' '%s'", out, cache);
        h = hub_start(root, script, NULL);
        const pid_t pid = batch_start(&h, cache, list, out, NULL);
        pause_for(point);
        (void)kill(pid, SIGKILL);
        n_killed += batch_wait(pid) == 128 + SIGKILL;
        pause_for(0.1); /* its children end, and the hub notes what was going on */
        char *blobs = NULL;
        (void)pml_test_command(&blobs, "cd '%s' 2>/dev/null && find . -path '*/blobs/*' ! -name '*.incomplete'", cache);
        size_t n_before = 0;
        free(hub_requests(&h, &n_before));

        const int code = batch_run(&h, cache, list, out);
        CU_ASSERT_EQUAL(code, 0);
        char *differences = NULL;
        (void)pml_test_command(&differences,
                               "for f in org--a org--b org--c-bf16; do cmp '%s'/$f.pml '%s'/$f.pml; done; "
                               "for r in a b c; do for d in blobs snapshots refs; do diff -r --no-dereference "
                               "'%s.cache'/models--org--$r/$d '%s'/models--org--$r/$d; done; done",
                               reference, out, reference, cache);
        CU_ASSERT_STRING_EQUAL(differences, "");
        CU_ASSERT_TRUE(batch_is_tidy(out));
        CU_ASSERT_TRUE(batch_is_tidy(cache));
        CU_ASSERT_EQUAL(count_asked_again(&h, n_before, blobs, pml_test_path("%s.cache", reference)), 0);
        if (code != 0 || differences[0] != '\0') {
            (void)printf("\n    killed after %.3f s of %.3f: exit %d\n%s\n%s\n", point, whole, code, differences,
                         batch_text(out));
        }
        free(differences);
        free(blobs);
        hub_stop(&h);
    }
    CU_ASSERT_EQUAL(n_killed, n_kills);
    (void)printf("(%d kills) ", n_killed);
}

PML_TESTS("hub/batch_kill", PML_TEST(end_state_is_that_of_an_undisturbed_run))
