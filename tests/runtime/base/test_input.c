#include "tests/harness.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/input.h"

static const char *file(const char *name, const char *text) {
    const char *path = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    pml_test_write_file(path, text, strlen(text));
    return path;
}

static const char *fifo(void) {
    const char *path = pml_test_path("%s/fifo", pml_test_temporary_dir());
    CU_ASSERT_FATAL(mkfifo(path, 0600) == 0 || errno == EEXIST);
    return path;
}

static void opens_regular_files_only(void) {
    pml_error error = {0};
    int fd = -1;
    uint64_t size_bytes = 0;
    PML_ASSERT_OK(pml_input_open(file("open", "four"), PML_E_FORMAT, &fd, &size_bytes, &error), &error);
    CU_ASSERT_EQUAL(size_bytes, 4);
    (void)close(fd);
    fd = -1;
    PML_ASSERT_FAILS(pml_input_open(pml_test_temporary_dir(), PML_E_FORMAT, &fd, &size_bytes, &error), PML_E_FORMAT,
                     &error, "is a directory, not a regular file");
    PML_ASSERT_FAILS(pml_input_open(fifo(), PML_E_ARGUMENT, &fd, &size_bytes, &error), PML_E_ARGUMENT, &error,
                     "is a FIFO");
    PML_ASSERT_FAILS(pml_input_open("/dev/null", PML_E_ARGUMENT, &fd, &size_bytes, &error), PML_E_ARGUMENT, &error,
                     "is a device");
    PML_ASSERT_FAILS(
        pml_input_open(pml_test_path("%s/absent", pml_test_temporary_dir()), PML_E_FORMAT, &fd, &size_bytes, &error),
        PML_E_NOT_FOUND, &error, "no such file");
    PML_ASSERT_FAILS(
        pml_input_open(pml_test_path("%s/below", file("open", "four")), PML_E_FORMAT, &fd, &size_bytes, &error),
        PML_E_NOT_FOUND, &error, "no such file");
    CU_ASSERT_EQUAL(fd, -1);
}

static void reads_whole_files(void) {
    pml_error error = {0};
    char *bytes = NULL;
    size_t size_bytes = 0;
    PML_ASSERT_OK(pml_input_read(file("read", "four"), PML_E_FORMAT, 4, &bytes, &size_bytes, &error), &error);
    CU_ASSERT_EQUAL(size_bytes, 4);
    CU_ASSERT_STRING_EQUAL(bytes, "four");
    pml_free(bytes);
    bytes = NULL;
    PML_ASSERT_FAILS(pml_input_read(file("read", "fives"), PML_E_FORMAT, 4, &bytes, &size_bytes, &error), PML_E_FORMAT,
                     &error, "5 bytes, where at most 4 bytes are read");
    CU_ASSERT_PTR_NULL(bytes);
    PML_ASSERT_OK(pml_input_read(file("empty", ""), PML_E_FORMAT, 0, &bytes, &size_bytes, &error), &error);
    CU_ASSERT(size_bytes == 0 && bytes[0] == '\0');
    pml_free(bytes);
    bytes = NULL;
    pml_test_fail_allocation(1, false);
    PML_ASSERT_FAILS(pml_input_read(file("read", "four"), PML_E_FORMAT, 4, &bytes, &size_bytes, &error), PML_E_MEMORY,
                     &error, NULL);
    pml_test_fail_allocation(0, false);
}

static void maps_and_closes(void) {
    pml_error error = {0};
    pml_file_map map = {0};
    pml_file_map_close(&map);
    PML_ASSERT_OK(pml_file_map_open(file("map", "four"), PML_E_FORMAT, &map, &error), &error);
    CU_ASSERT(map.size_bytes == 4 && memcmp(map.data, "four", 4) == 0);
    pml_file_map_close(&map);
    CU_ASSERT(map.data == NULL && map.size_bytes == 0);
    pml_file_map_close(&map);

    PML_ASSERT_OK(pml_file_map_open(file("empty", ""), PML_E_FORMAT, &map, &error), &error);
    CU_ASSERT(map.data != NULL && map.size_bytes == 0);
    pml_file_map_close(&map);
    PML_ASSERT_FAILS(pml_file_map_open(fifo(), PML_E_ARGUMENT, &map, &error), PML_E_ARGUMENT, &error, "is a FIFO");
    CU_ASSERT_PTR_NULL(map.data);
}

/* The descriptor is closed whether or not it could be mapped. */
static void taken_descriptors_are_closed(void) {
    pml_error error = {0};
    pml_file_map map = {0};
    int fd = open(file("take", "four"), PML_INPUT_FLAGS);
    PML_ASSERT_OK(pml_file_map_take(fd, "shown", PML_E_FORMAT, &map, &error), &error);
    CU_ASSERT(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
    pml_file_map_close(&map);
    fd = open(pml_test_temporary_dir(), PML_INPUT_FLAGS);
    PML_ASSERT_FAILS(pml_file_map_take(fd, "shown", PML_E_FORMAT, &map, &error), PML_E_FORMAT, &error,
                     "shown: is a directory");
    CU_ASSERT(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
}

PML_TESTS("runtime/base/input", PML_TEST(opens_regular_files_only), PML_TEST(reads_whole_files),
          PML_TEST(maps_and_closes), PML_TEST(taken_descriptors_are_closed))
