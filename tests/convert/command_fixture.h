/* Running pml-convert as a user does, on copies of golden checkpoints. */
#ifndef PML_TESTS_CONVERT_COMMAND_FIXTURE_H
#define PML_TESTS_CONVERT_COMMAND_FIXTURE_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness.h"

#define TEST_CASE "patchtst/hf-ci-prediction"

/* The command as it was built. Arguments are a format of shell text. *output as in pml_test_command. */
#define test_convert(output, ...) test_convert_run((output), pml_test_path(__VA_ARGS__))
static inline int test_convert_run(char **output, const char *arguments) {
    return pml_test_command(output, "'%s/pml-convert' %s", pml_test_binary_dir(), arguments);
}

/* Runs and asserts the exit code and that stdout and stderr together contain `part` (NULL: anything). */
#define TEST_EXITS(code, part, ...)                                                                                    \
    CU_ASSERT_TRUE(test_exits((code), (part), pml_test_path(__VA_ARGS__), __FILE__, __LINE__))
static inline bool test_exits(int expected, const char *part, const char *arguments, const char *file, int line) {
    char *output = NULL;
    int code = test_convert_run(&output, arguments);
    bool fits = code == expected && (part == NULL || strstr(output, part) != NULL);
    if (!fits) {
        (void)printf("\n    %s:%d: pml-convert %s\n    exit %d, expected %d%s%s; output:\n%s\n", file, line, arguments,
                     code, expected, part != NULL ? " and " : "", part != NULL ? part : "", output);
    }
    free(output);
    return fits;
}

/* A fresh writable copy of a golden case, or NULL after marking the test as skipped. */
static inline const char *test_copy_case(const char *name, const char *as) {
    const char *golden = pml_test_golden(name);
    if (golden == NULL) {
        pml_test_skip(name);
        return NULL;
    }
    const char *copy = pml_test_path("%s/%s", pml_test_temporary_dir(), as);
    if (pml_test_command(NULL, "rm -rf '%s' && cp -r '%s' '%s' && chmod -R u+w '%s'", copy, golden, copy, copy) != 0) {
        (void)printf("cannot copy %s\n", golden);
        exit(1);
    }
    return copy;
}

/* Converts `source` to <temporary dir>/<name> with further options and asserts success; returns the path. */
static inline const char *test_converted(const char *source, const char *name, const char *options) {
    const char *path = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    TEST_EXITS(0, NULL, "'%s' -o '%s' --force -q %s", source, path, options);
    return path;
}

/* Flips one bit of one byte of a file, in place. */
static inline void test_flip_byte(const char *path, size_t offset) {
    size_t size = 0;
    unsigned char *bytes = pml_test_read_file(path, &size);
    CU_ASSERT_TRUE_FATAL(offset < size);
    bytes[offset] ^= 0x10;
    pml_test_write_file(path, bytes, size);
    free(bytes);
}

/* Replaces the only occurrence of `from` in a text file. */
static inline void test_replace_text(const char *path, const char *from, const char *to) {
    size_t size = 0;
    char *text = (char *)pml_test_read_file(path, &size);
    char *at = strstr(text, from);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    const char *changed = pml_test_path("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    pml_test_write_file(path, changed, strlen(changed));
    free(text);
}

/* What every command must do whatever it is about: explain itself, and refuse wrong operands as usage errors. */
static inline void test_usage(const char *command, const char *operands) {
    TEST_EXITS(0, "Usage: pml-convert", "%s --help", command);
    TEST_EXITS(2, NULL, "%s --no-such-option %s", command, operands);
    TEST_EXITS(2, NULL, "%s %s one-operand-too-many", command, operands);
    if (operands[0] != '\0') {
        TEST_EXITS(2, NULL, "%s", command);
    }
}

#endif
