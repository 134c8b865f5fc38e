/* Opening and mapping where the system says no. */
#include "formats/file_map.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/file/reader.h"
#include "tests/harness.h"

static const char *temporary(const char *name) {
    return pml_test_path("%s/%s", pml_test_temporary_dir(), name);
}

static void maps_what_is_there(void) {
    pml_file_map map;
    pml_error error;
    pml_test_write_file(temporary("empty"), "", 0);
    pml_test_write_file(temporary("four"), "abcd", 4);
    PML_ASSERT_OK(pml_foreign_map(temporary("empty"), &map, &error), &error);
    CU_ASSERT(map.size_bytes == 0 && map.data != NULL);
    pml_file_map_close(&map);
    PML_ASSERT_OK(pml_foreign_map(temporary("four"), &map, &error), &error);
    CU_ASSERT(map.size_bytes == 4 && memcmp(map.data, "abcd", 4) == 0);
    pml_file_map_close(&map);
    pml_file_map_close(&map); /* closed is closed */
    PML_ASSERT_OK(pml_file_map_open_sibling(pml_test_temporary_dir(), "four", "index", &map, &error), &error);
    CU_ASSERT_EQUAL(map.size_bytes, 4);
    pml_file_map_close(&map);
}

static void says_what_the_system_said(void) {
    pml_file_map map = {0};
    pml_error error;
    const char *loop = temporary("loop"), *folder = pml_test_temporary_dir();
    char longest[400];
    memset(longest, 'n', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    CU_ASSERT_EQUAL(symlink("loop", loop), 0);
    PML_ASSERT_FAILS(pml_foreign_map(loop, &map, &error), PML_E_IO, &error, "loop: Too many levels");
    PML_ASSERT_FAILS(pml_foreign_map(temporary(longest), &map, &error), PML_E_IO, &error, "File name too long");
    PML_ASSERT_FAILS(pml_foreign_map(pml_test_path("%s/x", temporary("four")), &map, &error), PML_E_NOT_FOUND, &error,
                     "no such file");
    PML_ASSERT_FAILS(pml_foreign_map("/dev/null", &map, &error), PML_E_IO, &error, "is a device");
    PML_ASSERT_FAILS(pml_file_map_open_sibling(temporary("absent"), "x", "index", &map, &error), PML_E_NOT_FOUND,
                     &error, "absent: no such file");
    PML_ASSERT_FAILS(pml_file_map_open_sibling(folder, "absent", "index", &map, &error), PML_E_NOT_FOUND, &error,
                     "index: the file 'absent': is missing in");
    static const char *const names[] = {"", ".", "..", "../four", "/etc/passwd", "a\\b", "C:x", "a\nb", "\x7f"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CU_ASSERT_FALSE(pml_is_base_name(names[i]));
        PML_ASSERT_FAILS(pml_file_map_open_sibling(folder, names[i], "index", &map, &error), PML_E_FORMAT, &error,
                         "index: the file '");
    }
    CU_ASSERT_FALSE(map.is_mapped);
}

/* A file larger than the address space that is allowed: an error, from every reader that maps. */
static void no_room_for_a_map_is_an_error(void) {
#ifdef PML_TEST_SANITIZED
    pml_test_skip("sanitizers need more address space than the limit");
#else
    const char *large = temporary("large");
    pml_test_write_file(large, "x", 1);
    CU_ASSERT_EQUAL_FATAL(truncate(large, (off_t)1 << 34), 0);
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit space = {(rlim_t)1 << 30, (rlim_t)1 << 30};
        pml_file_map map = {0};
        pml_file *file = NULL;
        pml_error error = {.message = ""};
        if (setrlimit(RLIMIT_AS, &space) != 0) {
            _exit(1);
        }
        if (pml_foreign_map(large, &map, &error) != PML_E_MEMORY || strstr(error.message, large) == NULL) {
            _exit(2);
        }
        if (pml_file_open(large, &file, &error) != PML_E_MEMORY || strstr(error.message, large) == NULL) {
            _exit(3);
        }
        _exit(0);
    }
    int code = -1;
    CU_ASSERT_EQUAL(waitpid(child, &code, 0), child);
    CU_ASSERT_TRUE(WIFEXITED(code) && WEXITSTATUS(code) == 0);
#endif
}

PML_TESTS("formats/file_map", PML_TEST(maps_what_is_there), PML_TEST(says_what_the_system_said),
          PML_TEST(no_room_for_a_map_is_an_error))
