/* download, cache and repositories as sources on the command line, as far as no hub is needed. */
#include <stdio.h>
#include <string.h>

#include "tests/convert/command_fixture.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define HELLO_SHA256 "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" /* of "hello" */

/* Nothing listens there: a command that asks the hub anyway fails with 69. */
static const char *fresh_cache(const char *name) {
    const char *cache = pml_test_fresh_dir(name);
    (void)setenv("HF_HUB_CACHE", cache, 1);
    (void)setenv("HF_ENDPOINT", "http://127.0.0.1:1", 1);
    (void)setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1", 1);
    (void)setenv("PML_HUB_TIME_SCALE", "0.001", 1);
    (void)unsetenv("HF_HUB_OFFLINE");
    return cache;
}

static void usage_of_download(void) {
    (void)fresh_cache("usage-download");
    TEST_EXITS(0, "Usage: pml-convert download", "download --help");
    TEST_EXITS(2, NULL, "download");
    TEST_EXITS(2, NULL, "download --no-such-option org/name");
    static const char *const names[] = {"../x",       "/etc/passwd", "org/name/x",     "org/..",
                                        "org/name@",  "org/name@..", "org/na me",      "hf://",
                                        "hf://../..", "org/a--b",    "http://host/a/b"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        TEST_EXITS(2, NULL, "download '%s'", names[i]);
    }
    TEST_EXITS(2, "--revision", "download org/name@main --revision main");
    TEST_EXITS(2, "--token", "download org/name --token T --token-file /dev/null");
    TEST_EXITS(2, "--include", "download org/name config.json --include '*'");
    TEST_EXITS(2, "--retries", "download org/name --retries 0");
    TEST_EXITS(2, "--max-workers", "download org/name --max-workers 33");
    TEST_EXITS(2, "--lock-timeout", "download org/name --lock-timeout 100000");
    TEST_EXITS(78, "endpoint", "download org/name --endpoint ftp://host");
    TEST_EXITS(66, NULL, "download org/name --token-file /nowhere/token");
}

static void nobody_is_asked_offline(void) {
    (void)fresh_cache("offline");
    TEST_EXITS(69, "127.0.0.1:1", "download org/name --retries 1");
    TEST_EXITS(66, "offline", "download org/name --offline");
    TEST_EXITS(66, "offline", "org/name -n --local-files-only");
    TEST_EXITS(66, "offline", "download org/name@" COMMIT " --offline");
    (void)setenv("HF_HUB_OFFLINE", "1", 1);
    TEST_EXITS(66, "offline", "detect hf://org/name");
    (void)unsetenv("HF_HUB_OFFLINE");
}

/* What lies on disk is never looked for on the hub, nor is what can only be a path. */
static void paths_are_paths(void) {
    (void)fresh_cache("paths");
    static const char *const paths[] = {"./org/name",     "/org/name", "org/name.safetensors",
                                        "org/name/model", "name",      "../a/b"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        TEST_EXITS(66, NULL, "convert '%s'", paths[i]);
    }
    TEST_EXITS(66, "hf://gpt2", "convert gpt2"); /* an old repository without a name in front: said how, not guessed */
    TEST_EXITS(2, "--revision", "convert ./org/name --revision main");
    TEST_EXITS(69, NULL, "convert org/name --retries 1");
    char *output = NULL;
    const char *folder = pml_test_fresh_dir("here");
    CU_ASSERT_EQUAL(pml_test_command(&output, "mkdir -p '%s/org/name' && cd '%s' && '%s/pml-convert' convert org/name",
                                     folder, folder, pml_test_binary_dir()),
                    66);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "no checkpoint"));
    free(output);
}

static void the_cache_is_listed_verified_and_emptied(void) {
    const char *cache = fresh_cache("cache");
    const char *repo = pml_test_path("%s/models--org--name", cache);
    TEST_EXITS(0, "repository", "cache ls");
    TEST_EXITS(0, "\"repos\": []", "cache ls --json");
    TEST_EXITS(2, "ls, verify or rm", "cache list");
    TEST_EXITS(66, "not in the hub's cache", "cache verify org/name");
    CU_ASSERT_EQUAL(pml_test_command(NULL,
                                     "mkdir -p '%s/blobs' '%s/refs' '%s/snapshots/" COMMIT
                                     "' && printf hello > '%s/blobs/" HELLO_SHA256 "' && printf " COMMIT
                                     " > '%s/refs/main' && ln -s ../../blobs/" HELLO_SHA256 " '%s/snapshots/" COMMIT
                                     "/w.bin'",
                                     repo, repo, repo, repo, repo, repo),
                    0);
    TEST_EXITS(0, "org/name", "cache ls");
    TEST_EXITS(0, "\"revisions\": \"main\"", "cache ls --json");
    TEST_EXITS(0, "1 blobs verified, 0 faults", "cache verify");
    TEST_EXITS(0, "snapshots/" COMMIT, "download org/name --offline --include w.bin");
    test_flip_byte(pml_test_path("%s/blobs/" HELLO_SHA256, repo), 2);
    TEST_EXITS(1, "another hash", "cache verify org/name");
    TEST_EXITS(1, "\"passed\": false", "cache verify --json");
    TEST_EXITS(65, "damaged", "download org/name --offline --include w.bin");
    TEST_EXITS(2, "-y", "cache rm org/name < /dev/null");
    TEST_EXITS(2, "name the repositories", "cache rm -y");
    TEST_EXITS(66, NULL, "cache rm -y org/name@v1");
    TEST_EXITS(0, "freed_bytes", "cache rm -y org/name --json");
    TEST_EXITS(0, "\"repos\": []", "cache ls --json");
}

PML_TESTS("convert/hub_commands", PML_TEST(usage_of_download), PML_TEST(nobody_is_asked_offline),
          PML_TEST(paths_are_paths), PML_TEST(the_cache_is_listed_verified_and_emptied))
