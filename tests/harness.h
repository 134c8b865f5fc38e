/* The one way tests are written: CUnit suites in a table, one main, skips that CTest shows.
 *
 *     static void rejects_overlap(void) { CU_ASSERT_EQUAL(…); }
 *     PML_TESTS("formats/safetensors", PML_TEST(rejects_overlap), PML_TEST(…))
 *
 * A whole program that cannot run (no golden data) calls pml_test_skip("reason") from a setup or test. */
#ifndef PML_TESTS_HARNESS_H
#define PML_TESTS_HARNESS_H

#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "runtime/base/error.h"

typedef struct pml_test {
    const char *name;
    void (*run)(void);
} pml_test;
#define PML_TEST(function)                                                                                             \
    { #function, function }
#define PML_TESTS(suite, ...)                                                                                          \
    int main(int argc, char **argv) {                                                                                  \
        static const pml_test tests[] = {__VA_ARGS__};                                                                 \
        return pml_test_main(suite, tests, sizeof tests / sizeof tests[0], argc, argv);                                \
    }
/* Runs all tests, or those whose names are given as arguments. 0, 1, or 77 when every test was skipped. */
int pml_test_main(const char *suite, const pml_test *tests, size_t n_tests, int argc, char **argv);

/* Marks the running test as skipped: prints the reason; the program exits 77 if nothing failed and every test skipped.
 */
void pml_test_skip(const char *reason);
/* Skips and is true under qemu-user, which cannot fork a process that has threads, and under ThreadSanitizer, where
 * such a child may start none. */
bool pml_test_cannot_fork(void);

/* Asserts PML_OK and prints the error's message when it is not. */
#define PML_ASSERT_OK(expression, error) CU_ASSERT_TRUE(pml_test_ok((expression), (error), __FILE__, __LINE__))
bool pml_test_ok(pml_status status, const pml_error *error, const char *file, int line);
/* Asserts a status and that the message contains `part` (NULL: any). */
#define PML_ASSERT_FAILS(expression, expected, error, part)                                                            \
    CU_ASSERT_TRUE(pml_test_fails((expression), (expected), (error), (part), __FILE__, __LINE__))
bool pml_test_fails(pml_status status, pml_status expected, const pml_error *error, const char *part, const char *file,
                    int line);

/* Paths. The strings live until the program ends. */
const char *pml_test_source_dir(void); /* the repository */
const char *pml_test_binary_dir(void); /* the build folder: commands lie in it */
const char *pml_test_path(const char *format, ...) __attribute__((format(printf, 1, 2))); /* formatted, kept */
const char *pml_test_temporary_dir(void); /* fresh for this process, removed at exit */
/* A fresh folder of that name in it: every test that looks for leftovers has its own. */
const char *pml_test_fresh_dir(const char *name);
/* tests/goldens/<name> if it is in the repository, else $PML_GOLDENS/<name>, else NULL. */
const char *pml_test_golden(const char *name);
const char *pml_test_data(const char *name); /* $PML_DATA/<name>, or NULL */

/* Whole files. The caller frees. Aborts the test program on I/O errors. */
unsigned char *pml_test_read_file(const char *path, size_t *size_bytes);
void pml_test_write_file(const char *path, const void *bytes, size_t size_bytes);
bool pml_test_file_holds(const char *path, const char *text); /* that text and nothing else */
size_t pml_test_count_files(const char *directory);           /* hidden ones too */

/* Runs a shell command; *output (stdout and stderr together, caller frees, may be NULL). The exit status, or 128 +
 * signal. */
int pml_test_command(char **output, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fails the n-th allocation from now on (1 = next; 0 = never), once or persistently. */
void pml_test_fail_allocation(unsigned long n, bool persistently);

#endif
