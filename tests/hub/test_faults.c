/* Every fault at every place on every content where it makes sense: the download succeeds, or fails with the right
 * code, within its time, never with wrong bytes; and after a failure a healthy hub finds nothing in its way. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/hub/hub_fixture.h"

enum { N_WORKERS = 8, MAX_CELLS = 1000, CELL_SECONDS = 120 };

#define REPO "acme/m"
#define LFS_FILE "model.safetensors"
#define GIT_FILE "tokenizer.json"

static const char *make_root(void) {
    static const char *root = NULL;
    if (root == NULL) {
        root = pml_test_fresh_dir("root");
        hub_make_text(root, REPO, "config.json", "{\"model_type\": \"none\", \"hidden_size\": 4}\n");
        hub_make_file(root, REPO, LFS_FILE, 1500000, 1);
        hub_make_file(root, REPO, GIT_FILE, 200000, 2);
    }
    return root;
}

/* ---- cells ------------------------------------------------------------------------------------------------------ */
typedef struct cell {
    const char *script;
    const char *codes;   /* that are right: "0", "69", "0|65" */
    bool may_not_happen; /* the client need not come by */
} cell;

static cell cells[MAX_CELLS];
static size_t n_cells;

static void add_cell(const char *codes, bool may_not_happen, const char *script) {
    CU_ASSERT_TRUE_FATAL(n_cells < MAX_CELLS);
    cells[n_cells++] = (cell){script, codes, may_not_happen};
}

static bool is_right(int code, const char *codes) {
    char text[16];
    (void)snprintf(text, sizeof text, "|%d|", code);
    return strstr(pml_test_path("|%s|", codes), text) != NULL;
}

static size_t count_faults(const hub *h) {
    size_t n_requests = 0, n_faults = 0;
    hub_request *requests = hub_requests(h, &n_requests);
    for (size_t i = 0; i < n_requests; i++) {
        n_faults += requests[i].faults[0] != '\0';
    }
    free(requests);
    return n_faults;
}

/* Where a server falls silent, nobody waits for long; elsewhere a busy machine must not look like silence. */
static const char *variables_of(const cell *c) {
    bool is_silent =
        strstr(c->script, "stall") != NULL || strstr(c->script, "delay") != NULL || strstr(c->script, "drip") != NULL;
    return is_silent ? "HF_HUB_ETAG_TIMEOUT=0.5 HF_HUB_DOWNLOAD_TIMEOUT=0.5 PML_HUB_TIME_SCALE=0.02"
                     : "HF_HUB_ETAG_TIMEOUT=30 HF_HUB_DOWNLOAD_TIMEOUT=30 PML_HUB_TIME_SCALE=0.02";
}

/* What is wrong with a cell, or NULL. */
static const char *run_cell(const cell *c, size_t index) {
    const char *cache = pml_test_path("%s/cache-%zu-", pml_test_temporary_dir(), index);
    char folder[4096];
    hub h = hub_start(make_root(), c->script, "--page 2");
    int code = hub_convert(&h, cache, variables_of(c), CELL_SECONDS, folder, "download %s", REPO);
    hub_stop(&h);
    const char *messages = hub_messages(cache), *wrong = NULL;
    if (!is_right(code, c->codes)) {
        wrong = pml_test_path("exit code %d instead of %s: %s", code, c->codes, messages);
    } else if (!c->may_not_happen && count_faults(&h) == 0) {
        wrong = "the fault did not happen";
    } else if (!hub_blobs_are_good(cache)) {
        wrong = "a blob has not the hash that is its name";
    } else if (code == 0 && !hub_snapshot_is_good(&h, REPO, folder)) {
        wrong = "wrong files";
    } else if (code != 0 && strstr(messages, "error: ") == NULL) {
        wrong = "no message";
    }
    if (strstr(c->script, "evil") != NULL &&
        (access("/tmp/evil", F_OK) == 0 || access("/evil", F_OK) == 0 ||
         pml_test_command(NULL, "find '%s' | grep -q evil", pml_test_temporary_dir()) == 0)) {
        wrong = "a path of the server's was made";
    }
    if (wrong == NULL && code != 0) {
        h = hub_start(make_root(), NULL, NULL);
        code = hub_convert(&h, cache, NULL, CELL_SECONDS, folder, "download %s", REPO);
        hub_stop(&h);
        if (code != 0 || !hub_snapshot_is_good(&h, REPO, folder) || !hub_blobs_are_good(cache)) {
            wrong = pml_test_path("no recovery: exit code %d: %s", code, hub_messages(cache));
        }
    }
    (void)pml_test_command(NULL, "rm -rf '%s' '%s'.*", cache, cache);
    return wrong;
}

/* Runs all cells in a few processes; reports every one that is wrong. */
static void run_cells(void) {
    (void)make_root();
    pid_t workers[N_WORKERS];
    (void)printf("%zu cells ", n_cells);
    (void)fflush(NULL);
    for (size_t k = 0; k < N_WORKERS; k++) {
        workers[k] = fork();
        if (workers[k] == 0) {
            bool good = true;
            for (size_t i = k; i < n_cells; i += N_WORKERS) {
                const char *wrong = run_cell(&cells[i], i);
                if (wrong != NULL) {
                    (void)printf("\n    cell %zu: %s\n    script:\n%s", i, wrong, cells[i].script);
                    good = false;
                }
            }
            (void)fflush(NULL);
            _exit(good ? 0 : 1);
        }
    }
    for (size_t k = 0; k < N_WORKERS; k++) {
        int code = -1;
        (void)waitpid(workers[k], &code, 0);
        CU_ASSERT_EQUAL(code, 0);
    }
    n_cells = 0;
}

/* ---- the rows: a fault, and the right codes when it happens once and when it never ends (NULL: not tried)
 * ----------------------------
 */
typedef struct row {
    const char *fault, *once, *always;
} row;
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const row statuses[] = {
    {"status 408", "0", "69"},
    {"status 429 Retry-After=1", "0", "75"},
    {"status 429 'RateLimit=\"api\";r=0;t=1'", "0", "75"},
    {"status 429 'Retry-After=Fri, 01 Jan 2100 00:00:00 GMT'", "0", NULL},
    {"status 500", "0", "69"},
    {"status 502", "0", "69"},
    {"status 503 Retry-After=0", "0", "69"},
    {"status 504", "0", "69"},
    {"status 401", "66", "66"},
    {"status 403", "77", "77"},
    {"status 404", "66", "66"},
    {"status 403 X-Error-Code=GatedRepo", "77", "77"},
    {"status 404 X-Error-Code=RevisionNotFound", "66", "66"},
    {"status 401 'X-Error-Message=Invalid credentials in Authorization header'", "77", "77"},
};

static const row transports[] = {
    {"close", "0", "69"},
    {"close rst", "0", "69"},
    {"stall 0", "0", "69"},
    {"cut 0", "0", "69"},
    {"rst 50%", "0", "69"},
    {"huge-headers 20 40000", "0", "69"},
    {"redirect {self}", "0", "65|69"},
    {"redirect ftp://127.0.0.1:9/x", "65|69", "65|69"},
    {"redirect file:///etc/passwd", "65|69", "65|69"},
    {"redirect gopher://127.0.0.1:9/", "65|69", "65|69"},
    {"status 302", "0|65|69", "65|69"},
};

static void add_rows(const row *rows, size_t n_rows, const char *place, const char *before) {
    for (size_t i = 0; i < n_rows; i++) {
        add_cell(rows[i].once, false, pml_test_path("%s%s %s x1\n", before, place, rows[i].fault));
        if (rows[i].always != NULL) {
            add_cell(rows[i].always, false, pml_test_path("%s%s %s\n", before, place, rows[i].fault));
        }
    }
}

static void calls_of_the_api(void) {
    static const row answers[] = {
        {"cut 50%", "0", "69"},
        {"cut-chunked 50%", "0", "69"},
        {"cut-bare 50%", "0", "69"},
        {"stall 50%", "0", "69"},
        {"chunked", "0", "0"},
        {"bare", "0", "0"},
        {"gzip", "0|69", "65|69"},
        {"body <html>down</html> text/html", "0|65|69", "65|69"},
        {"body '{\"error\": 1}'", "0|65|69", "65|69"},
        {"body '[[[[[[[[[['", "0|65|69", "65|69"},
        {"body ''", "0|65|69", "65|69"},
        {"flood 80000000", "0|65|69", "65|69"},
    };
    static const char *const places[] = {"revision", "tree", "tree-next"};
    for (size_t i = 0; i < COUNT(places); i++) {
        add_rows(statuses, COUNT(statuses), places[i], "");
        add_rows(transports, COUNT(transports), places[i], "");
        add_rows(answers, COUNT(answers), places[i], "");
    }
    run_cells();
}

static void addresses_of_files(void) {
    static const char *const places[] = {"get:*/" LFS_FILE, "get:*/" GIT_FILE, "object"};
    for (size_t i = 0; i < COUNT(places); i++) {
        add_rows(statuses, 8, places[i], ""); /* refusals differ: a signed address may have expired */
        add_rows(transports, COUNT(transports), places[i], "");
    }
    static const row expired[] = {
        {"status 403", "0", "69|77"}, {"status 401", "0", "66|69|77"}, {"status 400", "0", "69|77"}};
    add_rows(expired, COUNT(expired), "object", "");
    add_rows(expired, COUNT(expired), "object", "object cut 50% x1\n");
    run_cells();
}

static const row bytes_rows[] = {
    {"cut 50%", "0", "0|69"},
    {"cut 1", "0", "0|69"},
    {"cut -1", "0", "0|69"},
    {"cut-chunked 50%", "0", "0|69"},
    {"cut-bare 50%", "0", "0|65|69"},
    {"cut-bare -1", "0", "0|65|69"},
    {"chunked", "0", "0|69"},
    {"bare", "0", "0|69"},
    {"rst 50%", "0", "0|69"},
    {"stall 50%", "0", "0|69"},
    {"short 1", "0", "65|69"},
    {"long 1", "0", "65|69"},
    {"flip 50%", "0", "65"},
    {"flip 0", "0", "65"},
    {"flip -1", "0", "65"},
    {"garbage", "0", "65"},
    {"swap config.json", "0", "65|69"},
    {"gzip", "0", "65|69"},
    {"partial 50%", "0", "0|65|69"},
    {"unsatisfiable", "0", "65|69"},
    {"drip 100000 10", "0", "0"},
};

/* Waits that a server may want and does not get. */
static void waits_without_end(void) {
    add_cell("0", false, "any status 429 Retry-After=1000000000 x1\n");
    add_cell("0", false, "object status 503 Retry-After=1000000000 x1\n");
    add_cell("0", false, "get status 429 'RateLimit=\"resolvers\";r=0;t=1000000000' x1\n");
    add_cell("0", false, "revision header 'RateLimit=\"api\";r=0;t=1000000000' x1\n");
    add_cell("69", false, "object drip 1 1000\n");
    add_cell("69", false, "tree drip 1 1000\n");
    add_cell("69", false, "object stall 1\n");
    add_cell("69", false, "any delay 3600000\n");
    run_cells();
}

static void bytes_of_files(void) {
    static const char *const files[] = {LFS_FILE, GIT_FILE};
    for (size_t i = 0; i < COUNT(files); i++) {
        const char *place = pml_test_path("bytes:*/%s", files[i]);
        add_rows(bytes_rows, COUNT(bytes_rows), place, "");
        add_rows(bytes_rows, COUNT(bytes_rows), place, pml_test_path("%s cut 50%% x1\n", place));
    }
    run_cells();
}

static void ranges_that_lie(void) {
    static const row rows[] = {
        {"ignore-range", "0", "0"},
        {"wrong-range start", "0", "0|65|69"},
        {"wrong-range end", "0", "0|65|69"},
        {"wrong-range total", "0", "0|65|69"},
        {"wrong-range none", "0", "0|65|69"},
        {"wrong-range text", "0", "0|65|69"},
        {"wrong-range huge", "0", "0|65|69"},
        {"wrong-range begin", "0", "0|65|69"},
        {"unsatisfiable", "0", "0|65|69"},
        {"status 206", "0", "0|65|69"},
        {"cut 0", "0", "69"},
        {"garbage", "0", "0|65"},
    };
    static const char *const files[] = {LFS_FILE, GIT_FILE};
    for (size_t i = 0; i < COUNT(files); i++) {
        const char *place = pml_test_path("bytes:*/%s", files[i]);
        add_rows(rows, COUNT(rows), pml_test_path("resume:*/%s", files[i]), pml_test_path("%s cut 50%% x1\n", place));
    }
    run_cells();
}

static void lies_about_files(void) {
    static const row rows[] = {
        {"etag", "0", "0|65|69"},
        {"weak-etag", "0", "0"},
        {"etag 0123456789012345678901234567890123456789012345678901234567890123", "0|65|69", "0|65|69"},
        {"etag 0123456789012345678901234567890123456789", "0|65|69", "0|65|69"},
        {"etag ../../../../tmp/x", "0|65|69", "0|65|69"},
        {"etag /etc/passwd", "0|65|69", "0|65|69"},
        {"header X-Linked-Size=1", "0|65|69", "0|65|69"},
        {"header X-Linked-Size=-1", "0|65|69", "0|65|69"},
        {"header X-Linked-Size=99999999999999999999999", "0|65|69", "0|65|69"},
        {"header X-Repo-Commit", "0", "0"},
        {"header X-Repo-Commit=../../x", "0|65|69", "0|65|69"},
        {"header X-Repo-Commit=0123456789012345678901234567890123456789", "0|65|69", "65|69"},
    };
    add_rows(rows, COUNT(rows), "resolve:*/" LFS_FILE, "");
    add_rows(rows, COUNT(rows), "resolve:*/" GIT_FILE, "");
    static const row moved[] = {
        /* between two parts of one download */
        {"etag 0123456789012345678901234567890123456789012345678901234567890123 +1", "0|65|69", "0|65|69"},
        {"header X-Linked-Size=77 +1", "0|65|69", "0|65|69"},
    };
    add_rows(moved, COUNT(moved), "resolve:*/" LFS_FILE, "bytes:*/" LFS_FILE " cut 50% x1\n");
    run_cells();
}

static void listings_that_lie(void) {
    static const char *const paths[] = {
        "../evil",
        "../../../../../../tmp/evil",
        "/tmp/evil",
        "a/../../evil",
        "./config2.json",
        "a//b",
        "a/",
        "..",
        ".",
        "a/./b",
        "a\\\\b",
        "..\\\\evil",
        "C:evil",
        "C:\\\\evil",
        "\\u0000",
        "a\\u0000b",
        "//host/share/evil",
        "a/..",
        "\\ud800",
    };
    for (size_t i = 0; i < COUNT(paths); i++) {
        const char *path = paths[i];
        add_cell("65|69", false,
                 pml_test_path("tree-next replace '\"path\":\"" GIT_FILE "\"' '\"path\":\"%s\"'\n", path));
    }
    static const char *const changes[] = {
        "'\"oid\":\"' '\"oid\":\"../'", "'\"oid\":\"' '\"oid\":\"zz'",        "'\"size\":' '\"size\":-'",
        "'\"size\":' '\"size\":1e'",    "'\"size\":' '\"size\":99999999999'", "'\"path\":' '\"pfad\":'",
        "'\"pointerSize\"' '\"oid\"'",
    };
    for (size_t i = 0; i < COUNT(changes); i++) {
        add_cell("0|65|69|74", false, pml_test_path("tree replace %s\n", changes[i]));
        add_cell("0|65|69|74", false, pml_test_path("tree-next replace %s\n", changes[i]));
    }
    static const char *const commits[] = {
        "..", "../../x", "/", "", "0123", "main", "0123456789012345678901234567890123456789"};
    for (size_t i = 0; i < COUNT(commits); i++) {
        add_cell("65|66|69", false, pml_test_path("revision body '{\"sha\":\"%s\"}'\n", commits[i]));
    }
    run_cells();
}

PML_TESTS("hub/faults", PML_TEST(calls_of_the_api), PML_TEST(addresses_of_files), PML_TEST(waits_without_end),
          PML_TEST(bytes_of_files), PML_TEST(ranges_that_lie), PML_TEST(lies_about_files), PML_TEST(listings_that_lie))
