/* Batches of small models in a folder of the test's own. */
#ifndef PML_TESTS_CONVERT_BATCH_FIXTURE_H
#define PML_TESTS_CONVERT_BATCH_FIXTURE_H

#include <sys/stat.h>

#include "tests/convert/command_fixture.h"

/* A small golden checkpoint, copied as `name` below `folder`. */
static inline const char *test_small_model(const char *folder, const char *name) {
    const char *path = pml_test_path("%s/%s", folder, name), *golden = pml_test_golden(TEST_CASE);
    if (golden == NULL) {
        pml_test_skip(TEST_CASE);
        return NULL;
    }
    CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL,
                                           "mkdir -p '%s' && cp '%s'/config.json '%s'/model.safetensors '%s' && "
                                           "chmod u+w '%s'/*",
                                           path, golden, golden, path, path),
                          0);
    return path;
}

/* A manifest with one line per copied model, `n` of them: <folder>/models/m0 …; returns its path. */
static inline const char *test_manifest(const char *folder, size_t n) {
    const char *path = pml_test_path("%s/list.txt", folder);
    FILE *stream = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    for (size_t i = 0; i < n; i++) {
        const char *model = test_small_model(folder, pml_test_path("models/m%zu", i));
        if (model == NULL) {
            (void)fclose(stream);
            return NULL;
        }
        (void)fprintf(stream, "%s\n", model);
    }
    CU_ASSERT_EQUAL_FATAL(fclose(stream), 0);
    return path;
}

static inline void test_append(const char *path, const char *text) {
    FILE *stream = fopen(path, "a");
    CU_ASSERT_FATAL(stream != NULL && fputs(text, stream) >= 0);
    CU_ASSERT_EQUAL_FATAL(fclose(stream), 0);
}

/* How many lines of a file hold a text. */
static inline size_t test_count_lines(const char *path, const char *text) {
    size_t size = 0, n = 0;
    char *bytes = (char *)pml_test_read_file(path, &size);
    for (char *at = bytes, *line; (line = strsep(&at, "\n")) != NULL;) {
        n += strstr(line, text) != NULL;
    }
    free(bytes);
    return n;
}

static inline bool test_exists(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0;
}

/* Nothing unfinished is left: no temporary file, no lock of an output. */
static inline bool test_is_tidy(const char *folder) {
    char *found = NULL;
    (void)pml_test_command(&found, "find '%s' -name '.*.tmp.*' -o -name 'lock-*' -o -name '*.incomplete'", folder);
    const bool is_tidy = found[0] == '\0';
    if (!is_tidy) {
        (void)printf("\n    left behind:\n%s\n", found);
    }
    free(found);
    return is_tidy;
}

#endif
