#include "runtime/train/run_folder.h"

#include "tests/runtime/train/train_case.h"

static void touch(const char *folder, const char *name) {
    FILE *file = fopen(pml_test_path("%s/%s", folder, name), "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fclose(file);
}

static bool is_there(const char *folder, const char *name) {
    return access(pml_test_path("%s/%s", folder, name), F_OK) == 0;
}

static void the_newest_are_kept(void) {
    const char *folder = make_folder("kept");
    char path[PML_RUN_PATH_BYTES];
    bool any = true;
    PML_ASSERT_OK(pml_run_folder_newest(folder, path, &any, &error), &error);
    CU_ASSERT_FALSE(any);
    PML_ASSERT_OK(pml_run_folder_refuse(folder, &error), &error);
    touch(folder, "checkpoint-9.pml");
    touch(folder, "checkpoint-10.pml");
    touch(folder, "checkpoint-100.pml");
    touch(folder, "checkpoint-0200.pml"); /* not a name of ours */
    touch(folder, "checkpoint-300.pml.part");
    touch(folder, "model.pml");
    PML_ASSERT_OK(pml_run_folder_newest(folder, path, &any, &error), &error);
    CU_ASSERT_TRUE(any && strstr(path, "/checkpoint-100.pml") != NULL);
    PML_ASSERT_FAILS(pml_run_folder_refuse(folder, &error), PML_E_ARGUMENT, &error, "--resume");
    PML_ASSERT_OK(pml_run_folder_prune(folder, 2, &error), &error);
    CU_ASSERT_FALSE(is_there(folder, "checkpoint-9.pml"));
    CU_ASSERT_TRUE(is_there(folder, "checkpoint-10.pml") && is_there(folder, "checkpoint-100.pml") &&
                   is_there(folder, "checkpoint-0200.pml") && is_there(folder, "checkpoint-300.pml.part") &&
                   is_there(folder, "model.pml"));
    PML_ASSERT_FAILS(pml_run_folder_newest("/no/such/folder", path, &any, &error), PML_E_IO, &error, "/no/such");
}

static void one_run_at_a_time(void) {
    const char *folder = make_folder("locked");
    int first, second;
    PML_ASSERT_OK(pml_run_folder_lock(folder, &first, &error), &error);
    PML_ASSERT_FAILS(pml_run_folder_lock(folder, &second, &error), PML_E_BUSY, &error, "another run");
    (void)close(first);
    PML_ASSERT_OK(pml_run_folder_lock(folder, &second, &error), &error);
    (void)close(second);
}

PML_TESTS("runtime/train/run_folder", PML_TEST(the_newest_are_kept), PML_TEST(one_run_at_a_time))
