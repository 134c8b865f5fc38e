/* Folders: names listed, files found and mapped, and no way out of them. */
#include "formats/folder.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness.h"

static pml_folder *open_folder(const char *path) {
    pml_folder *folder = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_folder_create(path, &folder, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    return folder;
}

static void lists_and_finds(void) {
    const char *path = pml_test_fresh_dir("lists");
    pml_error error;
    pml_folder_names names = {0};
    pml_test_write_file(pml_test_path("%s/b", path), "1", 1);
    pml_test_write_file(pml_test_path("%s/a", path), "22", 2);
    pml_test_write_file(pml_test_path("%s/.hidden", path), "3", 1);
    CU_ASSERT_EQUAL_FATAL(mkdir(pml_test_path("%s/c", path), 0700), 0);
    pml_test_write_file(pml_test_path("%s/c/d", path), "444", 3);
    CU_ASSERT_EQUAL_FATAL(symlink("nowhere", pml_test_path("%s/lost", path)), 0);
    pml_folder *folder = open_folder(path);
    CU_ASSERT_STRING_EQUAL(pml_folder_path(folder), path);
    CU_ASSERT_FALSE(pml_folder_is_archive(folder));
    PML_ASSERT_OK(pml_folder_list(folder, &names, &error), &error);
    CU_ASSERT_EQUAL_FATAL(names.count, 4);
    CU_ASSERT(strcmp(names.items[0], "a") == 0 && strcmp(names.items[1], "b") == 0);
    CU_ASSERT(strcmp(names.items[2], "c") == 0 && strcmp(names.items[3], "lost") == 0);
    pml_folder_names_deinit(&names);
    CU_ASSERT_TRUE(pml_folder_has(folder, "c/d"));
    CU_ASSERT_TRUE(pml_folder_has(folder, "lost"));
    CU_ASSERT_FALSE(pml_folder_has(folder, "c/e"));
    pml_file_map map = {0};
    PML_ASSERT_OK(pml_folder_map_sibling(folder, "c/d", "test", &map, &error), &error);
    CU_ASSERT(map.size_bytes == 3 && memcmp(map.data, "444", 3) == 0);
    pml_file_map_close(&map);
    PML_ASSERT_OK(pml_folder_map_path(folder, pml_test_path("%s/a", path), &map, &error), &error);
    CU_ASSERT_EQUAL(map.size_bytes, 2);
    pml_file_map_close(&map);
    pml_folder_close(folder);
    folder = open_folder(pml_test_path("%s/absent", path));
    PML_ASSERT_FAILS(pml_folder_list(folder, &names, &error), PML_E_IO, &error, "absent");
    pml_folder_close(folder);
}

static void names_stay_inside(void) {
    const char *path = pml_test_fresh_dir("inside");
    pml_error error;
    pml_file_map map = {0};
    CU_ASSERT_EQUAL_FATAL(mkdir(pml_test_path("%s/real", path), 0700), 0);
    pml_test_write_file(pml_test_path("%s/real/x", path), "1", 1);
    CU_ASSERT_EQUAL_FATAL(symlink("real", pml_test_path("%s/linked", path)), 0);
    CU_ASSERT_EQUAL_FATAL(symlink("/etc/hostname", pml_test_path("%s/real/out", path)), 0);
    pml_folder *folder = open_folder(path);
    PML_ASSERT_OK(pml_folder_map_sibling(folder, "real/x", "index", &map, &error), &error);
    pml_file_map_close(&map);
    static const char *const refused[] = {
        "../x",     "/etc/hostname", "real/../real/x", "real//x", "./real/x", "linked/x",
        "real/out", "real\\x",       "real/x/",        "..",      "",         "a\nb",
        "c:x",      "c:/real/x"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        PML_ASSERT_FAILS(pml_folder_map_sibling(folder, refused[i], "index", &map, &error), PML_E_FORMAT, &error, NULL);
    }
    PML_ASSERT_FAILS(pml_folder_map_sibling(folder, "real/y", "index", &map, &error), PML_E_NOT_FOUND, &error, "index");
    pml_folder_close(folder);
}

PML_TESTS("formats/folder", PML_TEST(lists_and_finds), PML_TEST(names_stay_inside))
