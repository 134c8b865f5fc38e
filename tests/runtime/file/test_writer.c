#include "tests/harness.h"

#include "tests/runtime/file/sample.h"

static void writes_what_reads_back(void) {
    pml_error error = {0};
    const char *path = pml_test_path("%s/sample.pml", pml_test_temporary_dir());
    PML_ASSERT_OK(sample_write(path, false, 1u << 20, &error), &error);
    pml_file *file = NULL;
    PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
    if (file == NULL) {
        return;
    }
    PML_ASSERT_OK(pml_file_verify(file, &error), &error);
    CU_ASSERT_EQUAL(pml_file_n_tensors(file), SAMPLE_COUNT);
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        const sample_tensor *t = &sample_tensors[i];
        const pml_file_tensor *tensor = pml_file_tensor_find(file, t->name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
        CU_ASSERT(tensor->dtype == t->dtype && tensor->layout == t->layout && tensor->rank == t->rank);
        CU_ASSERT_STRING_EQUAL(tensor->transforms, t->transforms);
        CU_ASSERT_EQUAL(tensor->quantization_error, i == 2 ? 0.125 : 0);
        CU_ASSERT_EQUAL(memcmp(tensor->shape, t->shape, sizeof t->shape), 0);
        CU_ASSERT_EQUAL(tensor->offset_bytes % (tensor->size_bytes >= 4096 ? 4096 : 64), 0);
        uint8_t *expected = NULL;
        PML_ASSERT_OK(pml_alloc(tensor->size_bytes, 1, &expected, &error), &error);
        sample_fill(i, expected);
        CU_ASSERT_EQUAL(memcmp(expected, pml_file_tensor_data(file, tensor), tensor->size_bytes), 0);
        pml_free(expected);
    }
    CU_ASSERT_PTR_NULL(pml_file_tensor_find(file, "patch"));
    CU_ASSERT_EQUAL(pml_file_n_blobs(file), 2);
    const pml_file_blob *blob = pml_file_blob_find(file, "selftest");
    CU_ASSERT_PTR_NOT_NULL_FATAL(blob);
    CU_ASSERT(blob->size_bytes == 13 && memcmp(blob->data, "a few vectors", 13) == 0);
    pml_file_close(file);
}

PML_TESTS("runtime/file/writer", PML_TEST(writes_what_reads_back))
