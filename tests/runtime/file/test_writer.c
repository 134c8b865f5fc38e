#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cancel.h"
#include "tests/runtime/file/sample.h"

static void check_tensor(const pml_file *file, size_t i_tensor) {
    const sample_tensor *t = &sample_tensors[i_tensor];
    pml_error error = {0};
    const pml_file_tensor *tensor = pml_file_tensor_find(file, t->name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
    CU_ASSERT(tensor->dtype == t->dtype && tensor->layout == t->layout && tensor->rank == t->rank);
    CU_ASSERT_STRING_EQUAL(tensor->transforms, t->transforms);
    CU_ASSERT_EQUAL(tensor->quantization_error, i_tensor == 2 ? 0.125 : 0);
    CU_ASSERT_EQUAL(memcmp(tensor->shape, t->shape, sizeof t->shape), 0);
    CU_ASSERT_EQUAL(tensor->offset_bytes % (tensor->size_bytes >= 4096 ? 4096 : 64), 0);
    CU_ASSERT_EQUAL((uintptr_t)pml_file_tensor_data(file, tensor) % 64, 0);
    uint8_t *expected = NULL;
    PML_ASSERT_OK(pml_alloc(tensor->size_bytes, 1, &expected, &error), &error);
    sample_fill(i_tensor, expected);
    CU_ASSERT_EQUAL(memcmp(expected, pml_file_tensor_data(file, tensor), tensor->size_bytes), 0);
    pml_free(expected);
}

static void writes_what_reads_back(void) {
    pml_error error = {0};
    const char *path = pml_test_path("%s/sample.pml", pml_test_fresh_dir("read-back"));
    PML_ASSERT_OK(sample_write(path, false, 1u << 20, &error), &error);
    pml_file *file = NULL;
    PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    PML_ASSERT_OK(pml_file_verify(file, &error), &error);
    unsigned major = 0, minor = 9;
    pml_file_version(file, &major, &minor);
    CU_ASSERT(major == 1 && minor == 0 && pml_file_get_kind(file) == PML_KIND_MODEL);
    CU_ASSERT_STRING_EQUAL(pml_file_path(file), path);
    CU_ASSERT_EQUAL(pml_file_n_tensors(file), SAMPLE_COUNT);
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        check_tensor(file, i);
        CU_ASSERT(i == 0 || strcmp(pml_file_tensor_at(file, i - 1)->name, pml_file_tensor_at(file, i)->name) < 0);
    }
    CU_ASSERT_PTR_NULL(pml_file_tensor_at(file, SAMPLE_COUNT));
    CU_ASSERT_PTR_NULL(pml_file_tensor_find(file, "patch"));
    CU_ASSERT_EQUAL(pml_file_n_blobs(file), 2);
    const pml_file_blob *blob = pml_file_blob_find(file, "selftest");
    CU_ASSERT_PTR_NOT_NULL_FATAL(blob);
    CU_ASSERT(blob->size_bytes == 13 && memcmp(blob->data, "a few vectors", 13) == 0);
    CU_ASSERT_EQUAL(pml_file_blob_at(file, 0)->size_bytes, 0);
    CU_ASSERT_PTR_NULL(pml_file_blob_find(file, "none"));
    const char *family = "";
    PML_ASSERT_OK(pml_metadata_get_string(pml_file_metadata(file), "general.family", &family, &error), &error);
    CU_ASSERT_STRING_EQUAL(family, "patchtst");
    pml_file_close(file);
}

/* The same bytes whatever the pieces in which tensors arrive, and the size that was planned. */
static void is_deterministic(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("deterministic");
    static const size_t pieces[] = {1u << 20, 4096, 64, 17};
    size_t first_bytes = 0;
    unsigned char *first = NULL;
    for (size_t i = 0; i < 4; i++) {
        const char *path = pml_test_path("%s/%zu.pml", folder, pieces[i]);
        PML_ASSERT_OK(sample_write(path, false, pieces[i], &error), &error);
        size_t size_bytes;
        unsigned char *bytes = pml_test_read_file(path, &size_bytes);
        if (i == 0) {
            first = bytes;
            first_bytes = size_bytes;
            continue;
        }
        CU_ASSERT(size_bytes == first_bytes && memcmp(bytes, first, size_bytes) == 0);
        free(bytes);
    }
    pml_writer *writer = NULL;
    size_t ids[SAMPLE_COUNT];
    uint64_t planned = 0;
    PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
    PML_ASSERT_OK(sample_declare(writer, ids, &error), &error);
    PML_ASSERT_OK(pml_writer_planned_size(writer, &planned, &error), &error);
    CU_ASSERT_EQUAL(planned, first_bytes);
    pml_writer_destroy(writer);
    free(first);
}

/* Content digests agree when only provenance, transforms and blobs differ, and differ with anything else. */
static void digest_of(const char *path, const char *key, const char *value, const char *transforms, float element,
                      uint8_t digest[16]) {
    pml_error error = {0};
    pml_writer *writer = NULL;
    pml_metadata *m = NULL;
    pml_file *file = NULL;
    size_t id;
    const uint64_t shape[] = {1};
    PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, key, value, &error), &error);
    PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
    PML_ASSERT_OK(pml_writer_set_metadata(writer, m, &error), &error);
    PML_ASSERT_OK(pml_writer_add_tensor(writer, "w", PML_DTYPE_F32, PML_LAYOUT_ROW, shape, 1, transforms, &id, &error),
                  &error);
    PML_ASSERT_OK(pml_writer_add_blob(writer, "b", transforms, strlen(transforms), &error), &error);
    PML_ASSERT_OK(pml_writer_begin(writer, path, true, &error), &error);
    PML_ASSERT_OK(pml_writer_tensor_write(writer, id, &element, 4, &error), &error);
    PML_ASSERT_OK(pml_writer_finish(writer, &error), &error);
    PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
    memcpy(digest, pml_file_content_digest(file), 16);
    pml_file_close(file);
    pml_writer_destroy(writer);
    pml_metadata_destroy(m);
}

static void digests_content_only(void) {
    const char *path = pml_test_path("%s/d.pml", pml_test_fresh_dir("digest"));
    uint8_t base[16], other[16];
    digest_of(path, "provenance.source", "a", "", 1, base);
    digest_of(path, "provenance.source", "bb", "transpose", 1, other);
    CU_ASSERT_EQUAL(memcmp(base, other, 16), 0);
    digest_of(path, "provenance.source", "a", "", 2, other);
    CU_ASSERT_NOT_EQUAL(memcmp(base, other, 16), 0);
    digest_of(path, "config.source", "a", "", 1, other);
    CU_ASSERT_NOT_EQUAL(memcmp(base, other, 16), 0);
}

static void refuses_wrong_declarations(void) {
    pml_error error = {0};
    pml_writer *writer = NULL;
    size_t id;
    const uint64_t shape[] = {2, 3}, zero[] = {2, 0}, huge[] = {UINT64_MAX, 2};
    char longest[PML_MAX_NAME_BYTES + 2];
    memset(longest, 'n', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
#define ADD(name, dtype, layout, dims, rank, steps)                                                                    \
    pml_writer_add_tensor(writer, name, dtype, layout, dims, rank, steps, &id, &error)
    PML_ASSERT_OK(ADD("w", PML_DTYPE_F32, PML_LAYOUT_ROW, shape, 2, NULL), &error);
    PML_ASSERT_FAILS(ADD("w", PML_DTYPE_F32, PML_LAYOUT_ROW, shape, 2, NULL), PML_E_ARGUMENT, &error,
                     "'w' is declared twice");
    PML_ASSERT_FAILS(ADD("", PML_DTYPE_F32, PML_LAYOUT_ROW, shape, 2, NULL), PML_E_ARGUMENT, &error, "tensor name");
    PML_ASSERT_FAILS(ADD("a\nb", PML_DTYPE_F32, PML_LAYOUT_ROW, shape, 2, NULL), PML_E_ARGUMENT, &error, "tensor name");
    PML_ASSERT_FAILS(ADD(longest, PML_DTYPE_F32, PML_LAYOUT_ROW, shape, 2, NULL), PML_E_ARGUMENT, &error,
                     "tensor name");
    PML_ASSERT_FAILS(ADD("t", PML_DTYPE_F32, PML_LAYOUT_ROW, shape, 2, longest), PML_E_ARGUMENT, &error,
                     "transform list");
    PML_ASSERT_FAILS(ADD("z", PML_DTYPE_F32, PML_LAYOUT_ROW, zero, 2, NULL), PML_E_ARGUMENT, &error,
                     "'z': dimension 1 is 0");
    PML_ASSERT_FAILS(ADD("h", PML_DTYPE_F32, PML_LAYOUT_PANEL, huge, 2, NULL), PML_E_ARGUMENT, &error, "overflows");
    PML_ASSERT_FAILS(ADD("v", PML_DTYPE_F32, PML_LAYOUT_PANEL, shape, 1, NULL), PML_E_ARGUMENT, &error,
                     "needs a matrix");
    PML_ASSERT_FAILS(ADD("r", PML_DTYPE_F32, PML_LAYOUT_ROW, shape, 9, NULL), PML_E_ARGUMENT, &error, "rank 9");
    PML_ASSERT_FAILS(ADD("i", PML_DTYPE_I8, PML_LAYOUT_ROW, shape, 2, NULL), PML_E_UNSUPPORTED, &error,
                     "layout row is not defined for dtype I8");
    PML_ASSERT_FAILS(ADD("c", PML_DTYPE_C64, PML_LAYOUT_ROW, shape, 2, NULL), PML_E_UNSUPPORTED, &error, "dtype C64");
    PML_ASSERT_FAILS(
        pml_writer_add_grouped(writer, "g", PML_DTYPE_I8, PML_LAYOUT_PANEL, 16, shape, 2, NULL, &id, &error),
        PML_E_UNSUPPORTED, &error, "groups of 16 rows");
    PML_ASSERT_FAILS(
        pml_writer_add_grouped(writer, "g", PML_DTYPE_BF16, PML_LAYOUT_PANEL, 64, shape, 2, NULL, &id, &error),
        PML_E_ARGUMENT, &error, "only I8");
    PML_ASSERT_FAILS(ADD("l", PML_DTYPE_F32, (pml_layout)3, shape, 2, NULL), PML_E_UNSUPPORTED, &error, "layout 3");
    PML_ASSERT_OK(pml_writer_add_blob(writer, "b", "x", 1, &error), &error);
    PML_ASSERT_FAILS(pml_writer_add_blob(writer, "b", "x", 1, &error), PML_E_ARGUMENT, &error, "'b' is declared twice");
    PML_ASSERT_FAILS(pml_writer_set_base_digest(writer, (const uint8_t *)longest, &error), PML_E_ARGUMENT, &error,
                     "no base");
    PML_ASSERT_FAILS(pml_writer_tensor_write(writer, 0, "x", 1, &error), PML_E_ARGUMENT, &error, "before begin");
    PML_ASSERT_FAILS(pml_writer_finish(writer, &error), PML_E_ARGUMENT, &error, "before begin");
    pml_writer_destroy(writer);
}

static void refuses_more_blobs_than_a_reader_takes(void) {
    pml_error error = {0};
    pml_writer *writer = NULL;
    PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
    for (unsigned i = 0; i < PML_MAX_BLOBS; i++) {
        PML_ASSERT_OK(pml_writer_add_blob(writer, pml_test_path("%u", i), "x", 1, &error), &error);
    }
    PML_ASSERT_FAILS(pml_writer_add_blob(writer, "more", "x", 1, &error), PML_E_ARGUMENT, &error, "at most 1024 blobs");
    pml_writer_destroy(writer);
}

static void refuses_wrong_streams(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("streams");
    const char *path = pml_test_path("%s/x.pml", folder);
    pml_writer *writer = NULL;
    size_t ids[SAMPLE_COUNT];
    uint8_t bytes[64] = {1};
    PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
    PML_ASSERT_OK(sample_declare(writer, ids, &error), &error);
    PML_ASSERT_OK(pml_writer_begin(writer, path, false, &error), &error);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 1);
    PML_ASSERT_FAILS(pml_writer_add_blob(writer, "late", "x", 1, &error), PML_E_ARGUMENT, &error, "any more");
    PML_ASSERT_FAILS(pml_writer_tensor_write(writer, SAMPLE_COUNT, bytes, 1, &error), PML_E_ARGUMENT, &error,
                     "not declared");
    PML_ASSERT_FAILS(pml_writer_tensor_write(writer, ids[3], bytes, 5, &error), PML_E_ARGUMENT, &error,
                     "'scalar': more than its 4");
    PML_ASSERT_FAILS(pml_writer_finish(writer, &error), PML_E_ARGUMENT, &error, "0 of its");
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 0);
    pml_writer_destroy(writer);

    /* Bytes that do not keep the layout's zeros are noticed before anything is published. */
    const uint64_t shape[] = {1, 2};
    size_t id;
    memset(bytes, 1, sizeof bytes);
    PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
    PML_ASSERT_OK(pml_writer_add_tensor(writer, "m", PML_DTYPE_F32, PML_LAYOUT_PANEL, shape, 2, "", &id, &error),
                  &error);
    PML_ASSERT_OK(pml_writer_begin(writer, path, false, &error), &error);
    PML_ASSERT_OK(pml_writer_tensor_write(writer, id, bytes, 64, &error), &error);
    PML_ASSERT_FAILS(pml_writer_finish(writer, &error), PML_E_MISMATCH, &error, "does not read back");
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 0);
    pml_writer_destroy(writer);
}

static void sets_metadata_late(void) {
    pml_error error = {0};
    const char *path = pml_test_path("%s/x.pml", pml_test_fresh_dir("late"));
    pml_writer *writer = NULL;
    pml_metadata *m = NULL;
    pml_file *file = NULL;
    PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "provenance.sha256", "0000", &error), &error);
    PML_ASSERT_OK(pml_writer_create(PML_KIND_ADAPTER, &writer, &error), &error);
    PML_ASSERT_OK(pml_writer_set_base_digest(writer, (const uint8_t *)"0123456789abcdef", &error), &error);
    PML_ASSERT_OK(pml_writer_set_metadata(writer, m, &error), &error);
    PML_ASSERT_OK(pml_writer_begin(writer, path, false, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "provenance.sha256", "ffffffffffff", &error), &error);
    PML_ASSERT_FAILS(pml_writer_set_metadata(writer, m, &error), PML_E_ARGUMENT, &error, "cannot take the place");
    PML_ASSERT_OK(pml_metadata_set_string(m, "provenance.sha256", "abcd", &error), &error);
    PML_ASSERT_OK(pml_writer_set_metadata(writer, m, &error), &error);
    PML_ASSERT_OK(pml_writer_finish(writer, &error), &error);
    PML_ASSERT_FAILS(pml_writer_set_metadata(writer, m, &error), PML_E_ARGUMENT, &error, "any more");
    PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
    const char *value = "";
    PML_ASSERT_OK(pml_metadata_get_string(pml_file_metadata(file), "provenance.sha256", &value, &error), &error);
    CU_ASSERT_STRING_EQUAL(value, "abcd");
    CU_ASSERT_EQUAL(memcmp(pml_file_base_digest(file), "0123456789abcdef", 16), 0);
    CU_ASSERT_EQUAL(pml_file_get_kind(file), PML_KIND_ADAPTER);
    CU_ASSERT_EQUAL(pml_file_n_tensors(file), 0);
    pml_file_close(file);
    pml_writer_destroy(writer);
    pml_metadata_destroy(m);
}

static void replaces_only_when_asked(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("replace");
    const char *path = pml_test_path("%s/x.pml", folder);
    pml_test_write_file(path, "old", 3);
    PML_ASSERT_FAILS(sample_write(path, false, 4096, &error), PML_E_ARGUMENT, &error, "exists already");
    CU_ASSERT(pml_test_file_holds(path, "old"));
    PML_ASSERT_OK(sample_write(path, true, 4096, &error), &error);
    pml_file *file = NULL;
    PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
    /* Replacing the file under an open one is safe: the map keeps the old bytes. */
    PML_ASSERT_OK(sample_write(path, true, 64, &error), &error);
    PML_ASSERT_OK(pml_file_verify(file, &error), &error);
    pml_file_close(file);
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 1);
}

/* Figure G3 for this flow: allocation n fails, for every n, once and persistently. */
static void survives_failing_allocations(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("allocations");
    const char *path = pml_test_path("%s/x.pml", folder);
    for (unsigned persistently = 0; persistently < 2; persistently++) {
        pml_status status = PML_E_MEMORY;
        unsigned long n = 0;
        pml_test_write_file(path, "old", 3);
        while (status == PML_E_MEMORY && n < 2000) {
            n++;
            pml_test_fail_allocation(n, persistently == 1);
            status = sample_write(path, true, 4096, &error);
            pml_test_fail_allocation(0, false);
            CU_ASSERT(status == PML_OK || (status == PML_E_MEMORY && pml_test_file_holds(path, "old")));
            CU_ASSERT_EQUAL(pml_test_count_files(folder), 1);
        }
        CU_ASSERT_EQUAL(status, PML_OK);
        CU_ASSERT(n > 50);
    }
}

/* The disk is "full" after limit bytes: the same as ENOSPC, without needing root. */
static int write_under_limit(const char *path, rlim_t limit_bytes) {
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {limit_bytes, limit_bytes};
        pml_error error = {0};
        (void)signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) {
            _exit(100);
        }
        pml_status status = sample_write(path, true, 1000, &error);
        _exit(status == PML_OK ? 0
              : status == PML_E_IO && strstr(error.message, path) != NULL && strstr(error.message, "bytes") != NULL
                  ? 1
                  : 101);
    }
    int code = 0;
    return waitpid(child, &code, 0) == child && WIFEXITED(code) ? WEXITSTATUS(code) : 102;
}

static void leaves_nothing_on_a_full_disk(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("full");
    const char *path = pml_test_path("%s/x.pml", folder);
    uint64_t planned = 0;
    pml_writer *writer = NULL;
    size_t ids[SAMPLE_COUNT];
    PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
    PML_ASSERT_OK(sample_declare(writer, ids, &error), &error);
    PML_ASSERT_OK(pml_writer_planned_size(writer, &planned, &error), &error);
    pml_writer_destroy(writer);
    pml_test_write_file(path, "old", 3);
    for (unsigned part = 0; part < 8; part++) {
        CU_ASSERT_EQUAL(write_under_limit(path, (rlim_t)(planned * part / 8)), 1);
        CU_ASSERT(pml_test_file_holds(path, "old"));
        CU_ASSERT_EQUAL(pml_test_count_files(folder), 1);
    }
    CU_ASSERT_EQUAL(write_under_limit(path, (rlim_t)planned), 0);
    CU_ASSERT_FALSE(pml_test_file_holds(path, "old"));
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 1);
    PML_ASSERT_FAILS(sample_write("/nonexistent/x.pml", false, 64, &error), PML_E_IO, &error, "/nonexistent/x.pml");
    PML_ASSERT_FAILS(sample_write("/dev/full", true, 64, &error), PML_E_ARGUMENT, &error, "not a regular file");
}

static void leaves_nothing_when_cancelled(void) {
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("cancelled");
    const char *path = pml_test_path("%s/x.pml", folder);
    pml_cancel_request();
    PML_ASSERT_FAILS(sample_write(path, false, 64, &error), PML_E_INTERRUPTED, &error, "interrupted");
    pml_cancel_reset();
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 0);
}

static void independent_reader_sees_the_same(void) {
    const char *python = getenv("PML_TEST_PYTHON");
    if (python == NULL || python[0] == '\0') {
        pml_test_skip("PML_TEST_PYTHON is not set");
        return;
    }
    pml_error error = {0};
    const char *folder = pml_test_fresh_dir("independent");
    const char *path = pml_test_path("%s/x.pml", folder);
    PML_ASSERT_OK(sample_write(path, false, 64, &error), &error);
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        const sample_tensor *t = &sample_tensors[i];
        char *output = NULL;
        CU_ASSERT_EQUAL_FATAL(pml_test_command(&output, "%s %s/scripts/pml_reader.py %s --tensor %s --npy %s/t.npy",
                                               python, pml_test_source_dir(), path, t->name, folder),
                              0);
        free(output);
        uint64_t count = 1;
        for (unsigned j = 0; j < t->rank; j++) {
            count *= t->shape[j];
        }
        /* A .npy file ends with its data: F32, in C order. */
        size_t size_bytes;
        unsigned char *bytes = pml_test_read_file(pml_test_path("%s/t.npy", folder), &size_bytes);
        CU_ASSERT_PTR_NOT_NULL(memmem(bytes, 128, "'<f4', 'fortran_order': False", 29));
        size_t n_wrong = size_bytes < count * 4;
        for (uint64_t j = 0; n_wrong == 0 && j < count; j++) {
            float value = sample_value(i, j);
            n_wrong += memcmp(&value, bytes + size_bytes - (count - j) * 4, 4) != 0;
        }
        CU_ASSERT_EQUAL(n_wrong, 0);
        free(bytes);
    }
    char *output = NULL;
    CU_ASSERT_EQUAL(pml_test_command(&output, "%s %s/scripts/pml_reader.py %s", python, pml_test_source_dir(), path),
                    0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "\"general.family\": \"patchtst\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "\"transforms\": \"reshape(2,3,17);transpose\""));
    free(output);
}

PML_TESTS("runtime/file/writer", PML_TEST(writes_what_reads_back), PML_TEST(is_deterministic),
          PML_TEST(digests_content_only), PML_TEST(refuses_wrong_declarations),
          PML_TEST(refuses_more_blobs_than_a_reader_takes), PML_TEST(refuses_wrong_streams),
          PML_TEST(sets_metadata_late), PML_TEST(replaces_only_when_asked), PML_TEST(survives_failing_allocations),
          PML_TEST(leaves_nothing_on_a_full_disk), PML_TEST(leaves_nothing_when_cancelled),
          PML_TEST(independent_reader_sees_the_same))
