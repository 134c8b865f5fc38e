/* The hub's cache on disk: its layout, and that no name, link or half-written file in it leads anywhere else. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/hub/hub_cache.h"
#include "convert/hub/hub_folder.h"
#include "convert/hub/hub_inventory.h"
#include "convert/hub/hub_partial.h"
#include "tests/harness.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define HELLO_SHA256 "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" /* of "hello" */
#define HELLO_SHA1 "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"                           /* git's, of "hello" */

static pml_hub_environment environment_of(const char *name) {
    pml_hub_environment e = {.time_scale = 1};
    e.cache_dir = (char *)(uintptr_t)pml_test_path("%s/hub", pml_test_fresh_dir(name));
    return e;
}

static pml_hub_cache open_new(const pml_hub_environment *e) {
    pml_hub_cache cache = {0};
    pml_error error = {0};
    PML_ASSERT_OK(pml_hub_cache_open(e, "org/name", true, &cache, &error), &error);
    return cache;
}

static pml_hub_file file_of(const char *path, const char *hash, uint64_t size_bytes) {
    pml_hub_file file = {.path = path, .size_bytes = size_bytes};
    memcpy(file.hash, hash, strlen(hash) + 1);
    return file;
}

static void put_blob(const pml_hub_cache *cache, const char *hash, const char *text) {
    pml_test_write_file(pml_test_path("%s/blobs/%s", cache->path, hash), text, strlen(text));
}

static bool is_link_to(const char *path, const char *text) {
    char found[256] = "";
    return readlink(path, found, sizeof found - 1) > 0 && strcmp(found, text) == 0;
}

static void the_layout_is_everybodys(void) {
    const pml_hub_environment e = environment_of("layout");
    pml_hub_cache cache = open_new(&e);
    pml_error error = {0};
    const pml_hub_file deep = file_of("a/b/config.json", HELLO_SHA1, 5), flat = file_of("w.bin", HELLO_SHA256, 5);
    char commit[PML_HUB_COMMIT_TEXT_BYTES];
    bool found = false, has = false;
    put_blob(&cache, HELLO_SHA1, "hello");
    put_blob(&cache, HELLO_SHA256, "hello");
    for (int i = 0; i < 2; i++) { /* once more is no error */
        PML_ASSERT_OK(pml_hub_cache_link(&cache, COMMIT, &deep, &error), &error);
        PML_ASSERT_OK(pml_hub_cache_link(&cache, COMMIT, &flat, &error), &error);
        PML_ASSERT_OK(pml_hub_cache_write_ref(&cache, "refs/pr/1", COMMIT, &error), &error);
        PML_ASSERT_OK(pml_hub_cache_mark_absent(&cache, COMMIT, "x/y.json", &error), &error);
    }
    CU_ASSERT_TRUE(is_link_to(pml_test_path("%s/snapshots/" COMMIT "/a/b/config.json", cache.path),
                              "../../../../blobs/" HELLO_SHA1));
    CU_ASSERT_TRUE(is_link_to(pml_test_path("%s/snapshots/" COMMIT "/w.bin", cache.path), "../../blobs/" HELLO_SHA256));
    CU_ASSERT_TRUE(pml_test_file_holds(pml_test_path("%s/snapshots/" COMMIT "/a/b/config.json", cache.path), "hello"));
    CU_ASSERT_TRUE(pml_test_file_holds(pml_test_path("%s/refs/refs/pr/1", cache.path), COMMIT));
    CU_ASSERT_TRUE(pml_test_file_holds(pml_test_path("%s/.no_exist/" COMMIT "/x/y.json", cache.path), ""));
    CU_ASSERT_EQUAL(access(pml_test_path("%s/CACHEDIR.TAG", e.cache_dir), F_OK), 0);
    PML_ASSERT_OK(pml_hub_cache_read_ref(&cache, "refs/pr/1", commit, &found, &error), &error);
    CU_ASSERT_TRUE(found);
    CU_ASSERT_STRING_EQUAL(commit, COMMIT);
    PML_ASSERT_OK(pml_hub_cache_has_file(&cache, COMMIT, &deep, false, &has, &error), &error);
    CU_ASSERT_TRUE(has);
    CU_ASSERT_EQUAL(pml_test_count_files(pml_test_path("%s/blobs", cache.path)), 2);
    pml_hub_cache_close(&cache);
}

/* A wrong link is replaced, whatever it led to; that stays as it was. */
static void wrong_links_are_replaced(void) {
    const pml_hub_environment e = environment_of("replace");
    pml_hub_cache cache = open_new(&e);
    pml_error error = {0};
    const pml_hub_file file = file_of("w.bin", HELLO_SHA256, 5);
    const char *other = pml_test_path("%s/other", pml_test_temporary_dir());
    const char *entry = pml_test_path("%s/snapshots/" COMMIT "/w.bin", cache.path);
    bool has = true;
    pml_test_write_file(other, "precious", 8);
    put_blob(&cache, HELLO_SHA256, "hello");
    CU_ASSERT_EQUAL(
        pml_test_command(NULL, "mkdir -p '%s/snapshots/" COMMIT "' && ln -s '%s' '%s'", cache.path, other, entry), 0);
    PML_ASSERT_OK(pml_hub_cache_has_file(&cache, COMMIT, &file, true, &has, &error), &error);
    CU_ASSERT_FALSE(has);
    PML_ASSERT_OK(pml_hub_cache_link(&cache, COMMIT, &file, &error), &error);
    CU_ASSERT_TRUE(pml_test_file_holds(entry, "hello"));
    CU_ASSERT_TRUE(pml_test_file_holds(other, "precious"));
    CU_ASSERT_EQUAL(pml_test_count_files(pml_test_path("%s/blobs", cache.path)), 1);
    pml_hub_cache_close(&cache);
}

static void copies_where_links_are_not_wanted(void) {
    pml_hub_environment e = environment_of("copies");
    e.no_symlinks = true;
    pml_hub_cache cache = open_new(&e);
    pml_error error = {0};
    struct stat info;
    const pml_hub_file file = file_of("a/w.bin", HELLO_SHA256, 5);
    const char *entry = pml_test_path("%s/snapshots/" COMMIT "/a/w.bin", cache.path);
    bool has = false;
    put_blob(&cache, HELLO_SHA256, "hello");
    PML_ASSERT_OK(pml_hub_cache_link(&cache, COMMIT, &file, &error), &error);
    PML_ASSERT_OK(pml_hub_cache_link(&cache, COMMIT, &file, &error), &error);
    CU_ASSERT_TRUE(lstat(entry, &info) == 0 && S_ISREG(info.st_mode));
    PML_ASSERT_OK(pml_hub_cache_has_file(&cache, COMMIT, &file, false, &has, &error), &error);
    CU_ASSERT_TRUE(has);
    pml_hub_cache_close(&cache);
}

/* G12: folders of the cache that are links, names that lead upwards: nothing outside is opened or written. */
static void nothing_leads_out(void) {
    static const char *const paths[] = {"../x", "a/../../x",   "..",    ".",
                                        "a//b", "/etc/passwd", "a/./b", "snapshots/../../x"};
    static const char *const folders[] = {"refs", "blobs", "trees", "snapshots", ".no_exist"};
    const pml_hub_environment e = environment_of("out");
    pml_hub_cache cache = open_new(&e);
    const pml_hub_file file = file_of("w.bin", HELLO_SHA256, 5);
    const char *outside = pml_test_fresh_dir("outside");
    char commit[PML_HUB_COMMIT_TEXT_BYTES], *bytes = NULL;
    size_t size = 0;
    bool found = false;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        CU_ASSERT_NOT_EQUAL(pml_hub_cache_mark_absent(&cache, COMMIT, paths[i], NULL), PML_OK);
        CU_ASSERT_NOT_EQUAL(pml_hub_cache_write_ref(&cache, paths[i], COMMIT, NULL), PML_OK);
        CU_ASSERT_NOT_EQUAL(pml_hub_folder_read(cache.repo_fd, paths[i], 100, &bytes, &size, NULL), PML_OK);
        const pml_hub_file hostile = file_of(paths[i], HELLO_SHA256, 5);
        CU_ASSERT_NOT_EQUAL(pml_hub_cache_link(&cache, COMMIT, &hostile, NULL), PML_OK);
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        CU_ASSERT_EQUAL(pml_test_command(NULL, "rm -rf '%s/%s' && ln -s '%s' '%s/%s'", cache.path, folders[i], outside,
                                         cache.path, folders[i]),
                        0);
    }
    pml_test_write_file(pml_test_path("%s/main", outside), COMMIT, 40);
    CU_ASSERT_NOT_EQUAL(pml_hub_cache_write_ref(&cache, "v1", COMMIT, NULL), PML_OK);
    CU_ASSERT_NOT_EQUAL(pml_hub_cache_link(&cache, COMMIT, &file, NULL), PML_OK);
    CU_ASSERT_NOT_EQUAL(pml_hub_cache_mark_absent(&cache, COMMIT, "x", NULL), PML_OK);
    const pml_status read = pml_hub_cache_read_ref(&cache, "main", commit, &found, NULL);
    CU_ASSERT_TRUE(read != PML_OK || !found);
    CU_ASSERT_EQUAL(pml_test_count_files(outside), 1);
    pml_hub_cache_close(&cache);
    CU_ASSERT_NOT_EQUAL(pml_hub_cache_open(&e, "org/name", true, &cache, NULL), PML_OK);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "rm -rf '%s/models--org--name' && ln -s '%s' '%s/models--org--name'",
                                     e.cache_dir, outside, e.cache_dir),
                    0);
    CU_ASSERT_NOT_EQUAL(pml_hub_cache_open(&e, "org/name", true, &cache, NULL), PML_OK);
    CU_ASSERT_EQUAL(pml_test_count_files(outside), 1);
}

static void damaged_blobs_are_found(void) {
    static const char *const texts[] = {"hellO", "hell", "hello!", ""};
    const pml_hub_environment e = environment_of("damage");
    const pml_hub_file file = file_of("w.bin", HELLO_SHA256, 5), small = file_of("c.json", HELLO_SHA1, 5);
    for (size_t i = 0; i < 4; i++) {
        pml_hub_cache cache = open_new(&e);
        pml_error error = {0};
        bool has = true;
        put_blob(&cache, HELLO_SHA256, texts[i]);
        put_blob(&cache, HELLO_SHA1, texts[i]);
        PML_ASSERT_FAILS(pml_hub_cache_has_blob(&cache, &file, false, &has, &error), PML_E_FORMAT, &error, "damaged");
        PML_ASSERT_OK(pml_hub_cache_has_blob(&cache, &file, true, &has, &error), &error);
        CU_ASSERT_FALSE(has);
        PML_ASSERT_OK(pml_hub_cache_has_blob(&cache, &small, true, &has, &error), &error);
        CU_ASSERT_FALSE(has);
        CU_ASSERT_EQUAL(pml_test_count_files(pml_test_path("%s/blobs", cache.path)), 0);
        pml_hub_cache_close(&cache);
    }
}

/* A blob that was verified is not hashed again until it changes. */
static void verified_blobs_are_remembered(void) {
    const pml_hub_environment e = environment_of("verified");
    const pml_hub_file file = file_of("w.bin", HELLO_SHA256, 5);
    pml_hub_cache cache = open_new(&e);
    pml_error error = {0};
    bool has = false;
    struct stat info;
    const char *blob = pml_test_path("%s/blobs/" HELLO_SHA256, cache.path);
    put_blob(&cache, HELLO_SHA256, "hello");
    PML_ASSERT_OK(pml_hub_cache_has_blob(&cache, &file, true, &has, &error), &error);
    CU_ASSERT_TRUE(has);
    pml_hub_cache_close(&cache);
    cache = open_new(&e);
    CU_ASSERT_EQUAL(stat(blob, &info), 0);
    CU_ASSERT_TRUE(pml_hub_verified_has(&cache, HELLO_SHA256, &info));
    const struct timespec later[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    pml_test_write_file(blob, "hellO", 5);
    CU_ASSERT_EQUAL(utimensat(AT_FDCWD, blob, later, 0), 0);
    PML_ASSERT_OK(pml_hub_cache_has_blob(&cache, &file, true, &has, &error), &error);
    CU_ASSERT_FALSE(has);
    pml_hub_cache_close(&cache);
}

/* ---- partial files ---- */
static void halves_are_taken_over(void) {
    const pml_hub_environment e = environment_of("partial");
    const pml_hub_file file = file_of("w.bin", HELLO_SHA256, 5);
    pml_hub_cache cache = open_new(&e);
    pml_error error = {0};
    pml_hub_partial partial = {0}, other = {0};
    PML_ASSERT_OK(pml_hub_partial_open(&cache, &file, &partial, &error), &error);
    PML_ASSERT_OK(pml_hub_partial_write(&partial, 0, "hel", 3, &error), &error);
    PML_ASSERT_FAILS(pml_hub_partial_write(&partial, 3, "loo", 3, &error), PML_E_NETWORK, &error, "more bytes");
    /* A living writer's file is nobody else's. */
    PML_ASSERT_OK(pml_hub_partial_open(&cache, &file, &other, &error), &error);
    CU_ASSERT_EQUAL(pml_hub_partial_done_bytes(&other), 0);
    pml_hub_partial_close(&other);
    /* As if the process had died: its number is that of no process. */
    char *pid = strstr(partial.name, pml_test_path(".%ld.", (long)getpid()));
    CU_ASSERT_PTR_NOT_NULL_FATAL(pid);
    const char *dead = pml_test_path("%.*s.999999999%s", (int)(pid - partial.name), partial.name,
                                     pid + strlen(pml_test_path(".%ld.", (long)getpid())) - 1);
    const char *from = pml_test_path("%s/blobs/%s", cache.path, partial.name);
    pml_hub_partial_close(&partial);
    CU_ASSERT_EQUAL(rename(from, pml_test_path("%s/blobs/%s", cache.path, dead)), 0);
    PML_ASSERT_OK(pml_hub_partial_open(&cache, &file, &partial, &error), &error);
    CU_ASSERT_EQUAL(pml_hub_partial_done_bytes(&partial), 3);
    PML_ASSERT_OK(pml_hub_partial_write(&partial, 3, "lo", 2, &error), &error);
    PML_ASSERT_OK(pml_hub_partial_commit(&partial, &error), &error);
    CU_ASSERT_TRUE(pml_test_file_holds(pml_test_path("%s/blobs/" HELLO_SHA256, cache.path), "hello"));
    CU_ASSERT_EQUAL(pml_test_count_files(pml_test_path("%s/blobs", cache.path)), 1);
    pml_hub_cache_close(&cache);
}

/* What dead processes left and nobody can use goes; what they left of other blobs stays. */
static void leftovers_are_swept(void) {
    static const char mark[] = "pml.%s.999999999.0123456789abcdef.incomplete";
    const pml_hub_environment e = environment_of("sweep");
    pml_hub_cache cache = open_new(&e);
    char host[256] = "";
    uint64_t kept = 0;
    pml_error error = {0};
    char own[PML_HUB_SCRATCH_BYTES];
    PML_ASSERT_OK(pml_hub_cache_scratch("", own, &error), &error);
    const char *begin = own + 4, *end = strchr(begin, '.');
    (void)snprintf(host, sizeof host, "%.*s", (int)(end - begin), begin);
    const char *tail = pml_test_path("%.*s%s%s", 4, mark, host, mark + 6);
    const char *folder = pml_test_path("%s/blobs", cache.path);
    put_blob(&cache, HELLO_SHA256, "hello");
    pml_test_write_file(pml_test_path("%s/%s", folder, tail), "x", 1);
    pml_test_write_file(pml_test_path("%s/" HELLO_SHA256 ".%s", folder, tail), "x", 1);
    pml_test_write_file(pml_test_path("%s/" HELLO_SHA1 ".%s", folder, tail), "x", 1);
    pml_test_write_file(pml_test_path("%s/%s", folder, own), "x", 1);
    pml_test_write_file(pml_test_path("%s/" HELLO_SHA1 ".deadbeef.incomplete", folder), "x", 1); /* another client's */
    pml_hub_partial_sweep(&cache, NULL, 0, &kept);
    CU_ASSERT_NOT_EQUAL(access(pml_test_path("%s/%s", folder, tail), F_OK), 0);
    CU_ASSERT_NOT_EQUAL(access(pml_test_path("%s/" HELLO_SHA256 ".%s", folder, tail), F_OK), 0);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 4);
    pml_hub_cache_close(&cache);
}

/* ---- looking, removing ---- */
static void removal_keeps_what_is_shared(void) {
    static const char second[] = "ffffffffffffffffffffffffffffffffffffffff";
    const pml_hub_environment e = environment_of("remove");
    pml_hub_cache cache = open_new(&e);
    pml_error error = {0};
    const pml_hub_file large = file_of("w.bin", HELLO_SHA256, 5), small = file_of("a/c.json", HELLO_SHA1, 5);
    pml_hub_inventory inventory = {0};
    uint64_t freed = 0;
    put_blob(&cache, HELLO_SHA1, "hello");
    put_blob(&cache, HELLO_SHA256, "hello");
    PML_ASSERT_OK(pml_hub_cache_link(&cache, COMMIT, &large, &error), &error);
    PML_ASSERT_OK(pml_hub_cache_link(&cache, COMMIT, &small, &error), &error);
    PML_ASSERT_OK(pml_hub_cache_link(&cache, second, &large, &error), &error);
    PML_ASSERT_OK(pml_hub_cache_write_ref(&cache, "main", COMMIT, &error), &error);
    PML_ASSERT_OK(pml_hub_cache_write_ref(&cache, "refs/pr/1", second, &error), &error);
    PML_ASSERT_OK(pml_hub_inventory_read(&e, NULL, &inventory, &error), &error);
    CU_ASSERT_EQUAL_FATAL(inventory.count, 1);
    CU_ASSERT_STRING_EQUAL(inventory.repos[0].repo, "org/name");
    CU_ASSERT_EQUAL(inventory.repos[0].size_bytes, 10);
    CU_ASSERT_EQUAL_FATAL(inventory.repos[0].n_snapshots, 2);
    CU_ASSERT_STRING_EQUAL(inventory.repos[0].snapshots[1].revisions, "refs/pr/1");
    CU_ASSERT_EQUAL(inventory.repos[0].snapshots[0].n_files, 2);
    pml_hub_inventory_deinit(&inventory);
    PML_ASSERT_OK(pml_hub_inventory_remove(&e, "org/name", "main", &freed, &error), &error);
    CU_ASSERT_EQUAL(pml_test_count_files(pml_test_path("%s/blobs", cache.path)), 1);
    CU_ASSERT_EQUAL(pml_test_count_files(pml_test_path("%s/snapshots", cache.path)), 1);
    CU_ASSERT_TRUE(pml_test_file_holds(pml_test_path("%s/snapshots/%s/w.bin", cache.path, second), "hello"));
    CU_ASSERT_NOT_EQUAL(access(pml_test_path("%s/refs/main", cache.path), F_OK), 0);
    PML_ASSERT_FAILS(pml_hub_inventory_remove(&e, "org/name", "main", &freed, &error), PML_E_NOT_FOUND, &error, NULL);
    pml_hub_partial partial = {0};
    PML_ASSERT_OK(pml_hub_partial_open(&cache, &small, &partial, &error), &error);
    PML_ASSERT_FAILS(pml_hub_inventory_remove(&e, "org/name", NULL, &freed, &error), PML_E_BUSY, &error, "downloading");
    pml_hub_partial_close(&partial);
    PML_ASSERT_OK(pml_hub_inventory_remove(&e, "org/name", NULL, &freed, &error), &error);
    CU_ASSERT_NOT_EQUAL(access(cache.path, F_OK), 0);
    pml_hub_cache_close(&cache);
}

PML_TESTS("convert/hub_cache", PML_TEST(the_layout_is_everybodys), PML_TEST(wrong_links_are_replaced),
          PML_TEST(copies_where_links_are_not_wanted), PML_TEST(nothing_leads_out), PML_TEST(damaged_blobs_are_found),
          PML_TEST(verified_blobs_are_remembered), PML_TEST(halves_are_taken_over), PML_TEST(leftovers_are_swept),
          PML_TEST(removal_keeps_what_is_shared))
