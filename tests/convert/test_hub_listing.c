/* The hub's answers about revisions and files, and the list that the cache keeps: what is read, what is refused. */
#include <stdio.h>
#include <string.h>

#include "convert/hub/hub_listing.h"
#include "runtime/base/alloc.h"
#include "tests/harness.h"

#define SHA1 "0123456789abcdef0123456789abcdef01234567"
#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FILE_ROW(path) "{\"type\":\"file\",\"path\":\"" path "\",\"size\":3,\"oid\":\"" SHA1 "\"}"

static void commits(void) {
    char commit[PML_HUB_COMMIT_TEXT_BYTES] = "";
    pml_error error = {0};
    const char *text = "{\"id\":\"a/b\",\"x\":[{\"sha\":1}],\"sha\":\"" SHA1 "\",\"y\":null}";
    PML_ASSERT_OK(pml_hub_listing_read_commit(text, strlen(text), "t", commit, &error), &error);
    CU_ASSERT_STRING_EQUAL(commit, SHA1);
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"sha\":null}",
                                      "{\"sha\":\"main\"}",
                                      "{\"sha\":\"../../../etc\"}",
                                      "{\"sha\":\"" SHA256 "\"}",
                                      "{\"sha\":\"" SHA1 "\",\"sha\":\"" SHA1 "\"}",
                                      "{\"sha\":\"" SHA1 "\"",
                                      "{\"sha\":\"" SHA1 "\"} x",
                                      "{\"sha\":\"0123456789ABCDEF0123456789abcdef01234567\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        PML_ASSERT_FAILS(pml_hub_listing_read_commit(bad[i], strlen(bad[i]), "t", commit, NULL), PML_E_FORMAT, NULL,
                         NULL);
    }
}

static void pages(void) {
    static const char page[] = "[{\"type\":\"directory\",\"path\":\"../x\",\"oid\":\"x\"}," FILE_ROW(
        "config.json") ","
                       "{\"type\":\"file\",\"path\":\"m/w.safetensors\",\"size\":134,\"oid\":\"" SHA1
                       "\",\"xetHash\":\"********\","
                       "\"lfs\":{\"oid\":\"" SHA256 "\",\"size\":5000000000,\"pointerSize\":134},\"lastCommit\":null},"
                       "{\"path\":\"z\",\"size\":0,\"type\":\"file\",\"lfs\":null,\"oid\":\"" SHA1
                       "\",\"xetHash\":\"" SHA256 "\"}]";
    pml_error error = {0};
    pml_hub_listing listing = {0};
    PML_ASSERT_OK(pml_hub_listing_read_page(page, sizeof page - 1, "t", &listing, &error), &error);
    CU_ASSERT_EQUAL_FATAL(listing.count, 3);
    const pml_hub_file *file = pml_hub_listing_find(&listing, "m/w.safetensors");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(file->size_bytes, 5000000000u);
    CU_ASSERT_STRING_EQUAL(file->hash, SHA256);
    CU_ASSERT_STRING_EQUAL(file->blob_id, SHA1);
    CU_ASSERT_STRING_EQUAL(file->xet_hash, "");
    CU_ASSERT_STRING_EQUAL(pml_hub_listing_find(&listing, "z")->xet_hash, SHA256);
    CU_ASSERT_STRING_EQUAL(pml_hub_listing_find(&listing, "config.json")->hash, SHA1);
    CU_ASSERT_PTR_NULL(pml_hub_listing_find(&listing, "m"));
    pml_hub_listing_deinit(&listing);
}

static void hostile_pages(void) {
    static const char *const bad[] = {
        "",
        "{}",
        "[",
        "[1]",
        "[null]",
        "[" FILE_ROW("a") "," FILE_ROW("a") "]",
        "[" FILE_ROW("../a") "]",
        "[" FILE_ROW("/etc/passwd") "]",
        "[" FILE_ROW("a\\\\b") "]",
        "[" FILE_ROW("a/../../b") "]",
        "[" FILE_ROW("") "]",
        "[" FILE_ROW("C:x") "]",
        "[" FILE_ROW("a\\u0000b") "]",
        "[" FILE_ROW("a\\u001bb") "]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":-1,\"oid\":\"" SHA1 "\"}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":1.5,\"oid\":\"" SHA1 "\"}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":99999999999999999999,\"oid\":\"" SHA1 "\"}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":18446744073709551615,\"oid\":\"" SHA1 "\"}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":1}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"oid\":\"" SHA1 "\"}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"oid\":\"" SHA256 "\"}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"oid\":\"../../../../etc/passwd\"}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"oid\":7}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"oid\":\"" SHA1 "\",\"lfs\":1}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"oid\":\"" SHA1 "\",\"lfs\":{\"oid\":\"" SHA1
        "\",\"size\":1}}]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        pml_hub_listing listing = {0};
        const pml_status status = pml_hub_listing_read_page(bad[i], strlen(bad[i]), "t", &listing, NULL);
        if (status != PML_E_FORMAT) {
            (void)printf("\n    %s: %s\n", pml_status_name(status), bad[i]);
        }
        CU_ASSERT_EQUAL(status, PML_E_FORMAT);
        pml_hub_listing_deinit(&listing);
    }
}

/* What is written reads back the same, in the order of paths. */
static void lists_are_kept(void) {
    static const char page[] =
        "[" FILE_ROW("z/y") "," FILE_ROW("a \\\"q\\\"") ","
                                                        "{\"type\":\"file\",\"path\":\"m\",\"size\":9,\"oid\":\"" SHA1
                                                        "\",\"xetHash\":\"" SHA256 "\",\"lfs\":{\"oid\":\"" SHA256
                                                        "\",\"size\":12}}]";
    pml_error error = {0};
    pml_hub_listing listing = {0}, again = {0};
    char *text = NULL;
    size_t length = 0;
    PML_ASSERT_OK(pml_hub_listing_read_page(page, sizeof page - 1, "t", &listing, &error), &error);
    FILE *stream = open_memstream(&text, &length);
    PML_ASSERT_OK(pml_hub_listing_write(&listing, stream, &error), &error);
    (void)fclose(stream);
    PML_ASSERT_OK(pml_hub_listing_read(text, length, "t", &again, &error), &error);
    CU_ASSERT_EQUAL_FATAL(again.count, 3);
    CU_ASSERT_STRING_EQUAL(again.files[0].path, "a \"q\"");
    CU_ASSERT_STRING_EQUAL(again.files[1].path, "m");
    CU_ASSERT_STRING_EQUAL(again.files[2].path, "z/y");
    for (size_t i = 0; i < again.count; i++) {
        const pml_hub_file *file = pml_hub_listing_find(&listing, again.files[i].path);
        CU_ASSERT_EQUAL(file->size_bytes, again.files[i].size_bytes);
        CU_ASSERT_STRING_EQUAL(file->hash, again.files[i].hash);
        CU_ASSERT_STRING_EQUAL(file->blob_id, again.files[i].blob_id);
        CU_ASSERT_STRING_EQUAL(file->xet_hash, again.files[i].xet_hash);
    }
    free(text);
    pml_hub_listing_deinit(&listing);
    pml_hub_listing_deinit(&again);
}

static void other_lists_are_refused(void) {
    static const char *const bad[] = {"",
                                      "[]",
                                      "{\"files\":{}}",
                                      "{\"format_version\":2,\"files\":{}}",
                                      "{\"format_version\":\"1\",\"files\":{}}",
                                      "{\"format_version\":1,\"files\":[]}",
                                      "{\"format_version\":1,\"files\":{\"a\":1}}",
                                      "{\"format_version\":1,\"files\":{\"../a\":{\"size\":1,\"blob_id\":\"" SHA1
                                      "\"}}}",
                                      "{\"format_version\":1,\"files\":{\"a\":{\"size\":1,\"blob_id\":\"x\"}}}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        pml_hub_listing listing = {0};
        PML_ASSERT_FAILS(pml_hub_listing_read(bad[i], strlen(bad[i]), "t", &listing, NULL), PML_E_FORMAT, NULL, NULL);
        pml_hub_listing_deinit(&listing);
    }
}

PML_TESTS("convert/hub_listing", PML_TEST(commits), PML_TEST(pages), PML_TEST(hostile_pages), PML_TEST(lists_are_kept),
          PML_TEST(other_lists_are_refused))
