#include "convert/side_file.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness.h"

static pml_status find(const char *path, const char *name, uint64_t most_bytes, pml_side_file *file, pml_error *error) {
    pml_status status = PML_OK;
    pml_folder *folder = NULL;
    PML_TRY(pml_folder_create(path, &folder, error));
    PML_TRY(pml_side_file_find(folder, name, most_bytes, file, error));
done:
    pml_folder_close(folder);
    return status;
}

static void reads_and_hashes(void) {
    pml_error error = {0};
    pml_side_file file = {0};
    const char *folder = pml_test_fresh_dir("read");
    pml_test_write_file(pml_test_path("%s/a.txt", folder), "abc", 3);
    PML_ASSERT_OK(find(folder, "a.txt", 3, &file, &error), &error);
    CU_ASSERT_STRING_EQUAL(file.path, pml_test_path("%s/a.txt", folder));
    CU_ASSERT_STRING_EQUAL(file.name, "a.txt");
    CU_ASSERT(file.size_bytes == 3 && strcmp(file.text, "abc") == 0);
    CU_ASSERT_STRING_EQUAL(file.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    pml_side_file_forget_text(&file);
    CU_ASSERT(file.text == NULL && file.name != NULL);
    pml_side_file_deinit(&file);
    CU_ASSERT(file.name == NULL && file.path == NULL);
    PML_ASSERT_FAILS(find(folder, "a.txt", 2, &file, &error), PML_E_FORMAT, &error, "at most 2 bytes");
    CU_ASSERT(file.name == NULL && file.text == NULL);
}

/* Nothing of that name is no error to find, but one to read. */
static void tells_absent_from_broken(void) {
    pml_error error = {0};
    pml_side_file file = {0};
    const char *folder = pml_test_fresh_dir("absent");
    PML_ASSERT_OK(find(folder, "none", 9, &file, &error), &error);
    PML_ASSERT_OK(find(pml_test_path("%s/none", folder), "none", 9, &file, &error), &error);
    CU_ASSERT_PTR_NULL(file.name);
    PML_ASSERT_FAILS(pml_side_file_read(pml_test_path("%s/none.map", folder), 9, &file, &error), PML_E_NOT_FOUND,
                     &error, "none.map");
    CU_ASSERT_EQUAL_FATAL(symlink("nowhere", pml_test_path("%s/link", folder)), 0);
    PML_ASSERT_FAILS(find(folder, "link", 9, &file, &error), PML_E_NOT_FOUND, &error, "link");
    CU_ASSERT_EQUAL_FATAL(mkfifo(pml_test_path("%s/fifo", folder), 0600), 0);
    PML_ASSERT_FAILS(find(folder, "fifo", 9, &file, &error), PML_E_FORMAT, &error, "regular file");
    PML_ASSERT_FAILS(pml_side_file_read(folder, 9, &file, &error), PML_E_FORMAT, &error, "regular file");
    char longest[5000];
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    PML_ASSERT_FAILS(find(folder, longest, 9, &file, &error), PML_E_ARGUMENT, &error, "too long");
    CU_ASSERT_PTR_NULL(file.name);
}

static void survives_failing_allocations(void) {
    const char *folder = pml_test_fresh_dir("memory");
    pml_test_write_file(pml_test_path("%s/a.txt", folder), "abc", 3);
    pml_status status = PML_E_MEMORY;
    for (unsigned long n = 1; status != PML_OK && n < 100; n++) {
        pml_error error;
        pml_side_file file = {0};
        pml_test_fail_allocation(n, false);
        status = find(folder, "a.txt", 9, &file, &error);
        pml_test_fail_allocation(0, false);
        CU_ASSERT((status == PML_OK) == (file.name != NULL) && (status == PML_OK || status == PML_E_MEMORY));
        pml_side_file_deinit(&file);
    }
    CU_ASSERT_EQUAL(status, PML_OK);
}

PML_TESTS("convert/side_file", PML_TEST(reads_and_hashes), PML_TEST(tells_absent_from_broken),
          PML_TEST(survives_failing_allocations))
