/* The golden files of tests/goldens/pml: valid ones that load for good, and one invalid one per row of faults.h, each
 * with "<status>\n<offset or ->\n<part of the message>" beside it. With PML_UPDATE_GOLDENS set the files are written
 * instead. */
#include "tests/harness.h"

#include <stdio.h>
#include <unistd.h>

#include "tests/runtime/file/faults.h"

static const char *folder(void) {
    return pml_test_path("%s/tests/goldens/pml", pml_test_source_dir());
}

static bool is_updating(void) {
    return getenv("PML_UPDATE_GOLDENS") != NULL;
}

/* The file of specs/pml-format.md §17. */
static built build_minimal(void) {
    static const build_tensor tensors[] = {{"bias", "", PML_DTYPE_F32, PML_LAYOUT_ROW, 1, 0, {3}}};
    pml_metadata *m = NULL;
    CU_ASSERT_EQUAL_FATAL(pml_metadata_create(&m, NULL), PML_OK);
    CU_ASSERT_EQUAL_FATAL(pml_metadata_set_string(m, "general.family", "demo", NULL), PML_OK);
    built file = build_file(&build_v1, m, tensors, 1, NULL, 0);
    pml_metadata_destroy(m);
    return file;
}

static const build_options newer_minor = {7, 0x0000ffff, 320, 200, 72};

static built build_valid(unsigned i_file, const char **name) {
    static const char *const names[] = {"v1.0-minimal", "v1.0-base", "v1.0-int8-complex", "v1.7-newer-minor"};
    *name = names[i_file];
    return i_file == 0   ? build_minimal()
           : i_file == 1 ? build_base()
           : i_file == 2 ? build_rich(&build_v1)
                         : build_rich(&newer_minor);
}
#define VALID_COUNT 4u

/* A golden file of a version is never regenerated differently: what is built today is what was committed. */
static void valid_files_load(void) {
    for (unsigned i = 0; i < VALID_COUNT; i++) {
        const char *name;
        pml_error error = {0};
        built expected = build_valid(i, &name);
        const char *path = pml_test_path("%s/%s.pml", folder(), name);
        if (is_updating()) {
            pml_test_write_file(path, expected.bytes, expected.size_bytes);
        }
        size_t size_bytes;
        uint8_t *bytes = pml_test_read_file(path, &size_bytes);
        CU_ASSERT(size_bytes == expected.size_bytes && memcmp(bytes, expected.bytes, size_bytes) == 0);
        pml_file *file = NULL;
        PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
        if (file != NULL) {
            PML_ASSERT_OK(pml_file_verify(file, &error), &error);
        }
        pml_file_close(file);
        free(bytes);
        free(expected.bytes);
    }
}

static pml_status examine(const char *path, pml_error *error) {
    pml_file *file = NULL;
    pml_status status = pml_file_open(path, &file, error);
    if (status == PML_OK) {
        status = pml_file_verify(file, error);
    }
    pml_file_close(file);
    return status;
}

static void update(const fault *f, const char *path, const char *expected_path) {
    pml_error error = {0};
    built file = fault_make(f);
    pml_test_write_file(path, file.bytes, file.size_bytes);
    free(file.bytes);
    pml_status status = examine(path, &error);
    const char *text = pml_test_path("%s\n%llu\n%s\n", pml_status_name(status), (unsigned long long)error.offset_bytes,
                                     f->message == NULL ? "" : f->message);
    pml_test_write_file(expected_path, text, strlen(text));
}

static void invalid_files_are_refused(void) {
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        const char *path = pml_test_path("%s/invalid/%s.pml", folder(), faults[i].name);
        const char *expected_path = pml_test_path("%s/invalid/%s.expected", folder(), faults[i].name);
        if (is_updating()) {
            update(&faults[i], path, expected_path);
        }
        size_t size_bytes;
        char *expected = (char *)pml_test_read_file(expected_path, &size_bytes);
        char *rest = NULL;
        const char *status_text = strtok_r(expected, "\n", &rest);
        const char *offset_text = strtok_r(NULL, "\n", &rest);
        const char *message = strtok_r(NULL, "\n", &rest);
        pml_error error = {0};
        pml_status status = examine(path, &error);
        bool fits = strcmp(pml_status_name(status), status_text) == 0 &&
                    error.offset_bytes == strtoull(offset_text, NULL, 10) && strstr(error.message, path) != NULL &&
                    (message == NULL || strstr(error.message, message) != NULL);
        CU_ASSERT_TRUE(fits);
        if (!fits) {
            (void)printf("    %s: %s: %s\n", faults[i].name, pml_status_name(status), error.message);
        }
        free(expected);
    }
}

/* The independent reader agrees about every golden file that it can judge without checksums, and unpacks what the tests
 * packed. Its exit status: 0, 1 invalid, 3 unsupported. */
static void independent_reader_agrees(void) {
    const char *python = getenv("PML_TEST_PYTHON");
    if (python == NULL || python[0] == '\0') {
        pml_test_skip("PML_TEST_PYTHON is not set");
        return;
    }
    char *output = NULL;
    int code = pml_test_command(&output, "%s %s/tests/runtime/file/check_goldens.py %s/scripts %s", python,
                                pml_test_source_dir(), pml_test_source_dir(), folder());
    CU_ASSERT_EQUAL(code, 0);
    if (code != 0) {
        (void)printf("\n%s\n", output);
    }
    free(output);
}

PML_TESTS("runtime/file/golden", PML_TEST(valid_files_load), PML_TEST(invalid_files_are_refused),
          PML_TEST(independent_reader_agrees))
