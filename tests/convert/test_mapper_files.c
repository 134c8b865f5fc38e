#include "convert/mapper_files.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness.h"

/* A fresh folder with a folder 1_Pooling in it. */
static const char *make_folder(const char *name) {
    const char *folder = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    CU_ASSERT_EQUAL(mkdir(folder, 0700), 0);
    CU_ASSERT_EQUAL(mkdir(pml_test_path("%s/1_Pooling", folder), 0700), 0);
    return folder;
}

static void put(const char *folder, const char *name, const char *text) {
    pml_test_write_file(pml_test_path("%s/%s", folder, name), text, strlen(text));
}

static pml_status load(const char *path, pml_mapper_files *files, pml_error *error) {
    pml_folder *folder = NULL;
    PML_ASSERT_OK(pml_folder_create(path, &folder, error), error);
    const pml_status status = pml_mapper_files_load(folder, files, error);
    pml_folder_close(folder);
    return status;
}

static void loads_what_exists(void) {
    pml_error error;
    pml_mapper_files files = {0};
    const char *folder = make_folder("loads");
    PML_ASSERT_OK(load(folder, &files, &error), &error);
    CU_ASSERT_EQUAL(files.count, 0);
    pml_mapper_files_deinit(&files);
    put(folder, "modules.json", "[]");
    put(folder, "1_Pooling/config.json", "{\"pooling_mode\":\"cls\"}");
    put(folder, "unknown.json", "no JSON");
    PML_ASSERT_OK(load(folder, &files, &error), &error);
    CU_ASSERT_EQUAL_FATAL(files.count, 2);
    CU_ASSERT_STRING_EQUAL(files.sides[0].name, "modules.json");
    CU_ASSERT_STRING_EQUAL(files.sides[1].name, "1_Pooling/config.json");
    CU_ASSERT_PTR_NOT_NULL(cJSON_GetObjectItem(files.sides[1].root, "pooling_mode"));
    char sha256[PML_SHA256_TEXT_BYTES];
    PML_ASSERT_OK(pml_hash_bytes("[]", 2, sha256, &error), &error);
    CU_ASSERT_STRING_EQUAL(files.items[0].sha256, sha256);
    pml_mapper_files_deinit(&files);
}

static void refuses_what_is_no_json_file_of_the_folder(void) {
    pml_error error;
    pml_mapper_files files = {0};
    const char *folder = make_folder("refuses");
    const char *modules = pml_test_path("%s/modules.json", folder);
    CU_ASSERT_EQUAL(symlink("/etc/hostname", modules), 0);
    PML_ASSERT_FAILS(load(folder, &files, &error), PML_E_FORMAT, &error, "symbolic link");
    (void)unlink(modules);
    CU_ASSERT_EQUAL(mkfifo(modules, 0600), 0);
    PML_ASSERT_FAILS(load(folder, &files, &error), PML_E_IO, &error, "modules.json");
    (void)unlink(modules);
    put(folder, "modules.json", "");
    CU_ASSERT_EQUAL(truncate(modules, (off_t)PML_MAX_CONFIG_BYTES + 1), 0);
    PML_ASSERT_FAILS(load(folder, &files, &error), PML_E_FORMAT, &error, "at most");
    (void)unlink(modules);
    CU_ASSERT_EQUAL(rmdir(pml_test_path("%s/1_Pooling", folder)), 0);
    CU_ASSERT_EQUAL(symlink(".", pml_test_path("%s/1_Pooling", folder)), 0);
    put(folder, "config.json", "{}");
    PML_ASSERT_FAILS(load(folder, &files, &error), PML_E_FORMAT, &error, "1_Pooling");
    CU_ASSERT_EQUAL(files.count, 0);
}

/* Hub caches keep files as links to blobs. */
static void follows_the_links_of_a_hub_cache(void) {
    static const char hash[] = "0123456789abcdef0123456789abcdef01234567";
    pml_error error;
    pml_mapper_files files = {0};
    const char *cache = pml_test_path("%s/cache", pml_test_temporary_dir());
    const char *folder = pml_test_path("%s/snapshots", cache);
    CU_ASSERT_EQUAL(mkdir(cache, 0700), 0);
    CU_ASSERT_EQUAL(mkdir(pml_test_path("%s/blobs", cache), 0700), 0);
    CU_ASSERT_EQUAL(mkdir(folder, 0700), 0);
    CU_ASSERT_EQUAL(mkdir(pml_test_path("%s/1_Pooling", folder), 0700), 0);
    put(cache, pml_test_path("blobs/%s", hash), "{}");
    CU_ASSERT_EQUAL(symlink(pml_test_path("../../blobs/%s", hash), pml_test_path("%s/1_Pooling/config.json", folder)),
                    0);
    PML_ASSERT_OK(load(folder, &files, &error), &error);
    CU_ASSERT_EQUAL(files.count, 1);
    pml_mapper_files_deinit(&files);
}

PML_TESTS("convert/mapper_files", PML_TEST(loads_what_exists), PML_TEST(refuses_what_is_no_json_file_of_the_folder),
          PML_TEST(follows_the_links_of_a_hub_cache))
