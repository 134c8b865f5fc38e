/* Names of the hub: what may become part of a path or an address, and what never. */
#include <stdio.h>
#include <string.h>

#include "convert/hub/hub_name.h"
#include "tests/harness.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void repositories(void) {
    static const char *const good[] = {"gpt2",  "org/name",    "a/b", "Org-1/na.me_2",
                                       "_a/b_", "org/name.v1", "0/0", "org/x-y.z_1-2"};
    static const char *const bad[] = {
        "",       "/",       "org/",     "/name",    "a/b/c",     "../name", "org/..",    "org/.x",    "org/x.",
        "-org/x", "org/x-",  "org/a--b", "org/a..b", "org/x.git", "org/x y", "org\\x",    "org/\x01x", "org/x\n",
        "org/é",  "org/x@y", "~/x",      "./x",      "hf://a/b",  "a%2fb",   "org/x\xff", ".."};
    for (size_t i = 0; i < COUNT(good); i++) {
        pml_error error = {0};
        PML_ASSERT_OK(pml_hub_repo_check(good[i], &error), &error);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        pml_error error = {0};
        PML_ASSERT_FAILS(pml_hub_repo_check(bad[i], &error), PML_E_ARGUMENT, &error, "repository");
    }
    char text[128] = "org/";
    memset(text + 4, 'a', 97);
    PML_ASSERT_FAILS(pml_hub_repo_check(text, NULL), PML_E_ARGUMENT, NULL, NULL);
    text[100] = '\0';
    PML_ASSERT_OK(pml_hub_repo_check(text, NULL), NULL);
}

static void revisions(void) {
    static const char *const good[] = {
        "main", "v1.0", "refs/pr/1", "feature/x-y_z", "0123456789012345678901234567890123456789", "a@b", "1"};
    static const char *const bad[] = {"",     ".",     "..",   "../x",   "a/../b", "/a",       "a/",    "a//b",
                                      ".a",   "a/.b",  "a.",   "a.lock", "a b",    "a\tb",     "a\\b",  "a:b",
                                      "a~1",  "a^",    "a?",   "a*",     "a[b",    "@",        "a@{1}", "-a",
                                      "a/-b", "a\x7f", "a\"b", "a<b",    "a|b",    "\xc3\xa9", "a'b"};
    for (size_t i = 0; i < COUNT(good); i++) {
        pml_error error = {0};
        PML_ASSERT_OK(pml_hub_revision_check(good[i], &error), &error);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        pml_error error = {0};
        PML_ASSERT_FAILS(pml_hub_revision_check(bad[i], &error), PML_E_ARGUMENT, &error, "revision");
    }
}

static void paths(void) {
    static const char *const good[] = {"a",  "a/b/c.json", ".gitattributes", "sub/.x", "ä/ö.txt", "a b", "a..b", "...",
                                       "~a", "C"};
    static const char *const bad[] = {"",       "/",     "/etc/passwd", "..",          "../a", "a/..",
                                      "a/../b", "a//b",  "a/",          ".",           "./a",  "a/./b",
                                      "a\\b",   "..\\a", "C:a",         "c:/a",        "a\nb", "a\x1b[0m",
                                      "a\x7f",  "\xff",  "a/\xc0\xaf",  "\\\\host\\x", "\x01"};
    for (size_t i = 0; i < COUNT(good); i++) {
        pml_error error = {0};
        PML_ASSERT_OK(pml_hub_path_check(good[i], &error), &error);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        pml_error error = {0};
        PML_ASSERT_FAILS(pml_hub_path_check(bad[i], &error), PML_E_FORMAT, &error, NULL);
    }
    char text[PML_HUB_MAX_PATH_BYTES + 8];
    memset(text, 'a', sizeof text);
    text[256] = '\0';
    PML_ASSERT_FAILS(pml_hub_path_check(text, NULL), PML_E_FORMAT, NULL, NULL);
    text[255] = '\0';
    PML_ASSERT_OK(pml_hub_path_check(text, NULL), NULL);
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)(i % 2 == 0 ? 'a' : '/');
    }
    text[PML_HUB_MAX_PATH_BYTES + 1] = '\0';
    PML_ASSERT_FAILS(pml_hub_path_check(text, NULL), PML_E_FORMAT, NULL, NULL);
}

static void hashes(void) {
    const char *sha1 = "0123456789abcdef0123456789abcdef01234567";
    const char *sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    CU_ASSERT_TRUE(pml_hub_is_commit(sha1));
    CU_ASSERT_FALSE(pml_hub_is_commit(sha256));
    CU_ASSERT_TRUE(pml_hub_is_hash(sha1));
    CU_ASSERT_TRUE(pml_hub_is_hash(sha256));
    static const char *const bad[] = {"",
                                      "abc",
                                      "0123456789ABCDEF0123456789abcdef01234567",
                                      "../456789abcdef0123456789abcdef01234567",
                                      "0123456789abcdef0123456789abcdef0123456",
                                      "0123456789abcdef0123456789abcdef012345678"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        CU_ASSERT_FALSE(pml_hub_is_hash(bad[i]));
    }
}

static void sources(void) {
    static const struct {
        const char *text, *repo, *revision;
    } good[] = {{"org/name", "org/name", NULL},
                {"org/name@v1", "org/name", "v1"},
                {"hf://org/name@refs/pr/2", "org/name", "refs/pr/2"},
                {"hf://gpt2", "gpt2", NULL},
                {"org/name@a@b", "org/name", "a@b"}};
    static const char *const bad[] = {"",           "hf://",     "org/name@", "@v1", "org/name@..", "hf:///etc/passwd",
                                      "hf://a/b/c", "http://a/b"};
    for (size_t i = 0; i < COUNT(good); i++) {
        pml_error error = {0};
        pml_hub_source source = {0};
        PML_ASSERT_OK(pml_hub_source_parse(good[i].text, &source, &error), &error);
        CU_ASSERT_STRING_EQUAL(source.repo, good[i].repo);
        CU_ASSERT_EQUAL(source.revision == NULL, good[i].revision == NULL);
        if (source.revision != NULL && good[i].revision != NULL) {
            CU_ASSERT_STRING_EQUAL(source.revision, good[i].revision);
        }
        pml_hub_source_deinit(&source);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        pml_hub_source source = {0};
        PML_ASSERT_FAILS(pml_hub_source_parse(bad[i], &source, NULL), PML_E_ARGUMENT, NULL, NULL);
        CU_ASSERT_PTR_NULL(source.repo);
    }
}

PML_TESTS("convert/hub_name", PML_TEST(repositories), PML_TEST(revisions), PML_TEST(paths), PML_TEST(hashes),
          PML_TEST(sources))
