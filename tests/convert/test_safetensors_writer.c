/* What selftest --out writes, read back by our own strict provider and by hand. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "convert/safetensors_writer.h"
#include "formats/format.h"
#include "tests/harness.h"

static const float numbers[6] = {1, -2, 3.5f, 0, 1e30f, -0.0f};

static void writes_what_the_provider_reads(void) {
    pml_error error = {0};
    const char *path = pml_test_path("%s/out.safetensors", pml_test_temporary_dir());
    const pml_safetensors_entry entries[] = {
        {"out.z", 2, {2, 3}, numbers},
        {"out.a", 0, {0}, numbers + 2},
        {"quote\"back\\slash", 1, {2}, numbers},
        {"empty", 2, {0, 4}, numbers},
    };
    PML_ASSERT_OK(pml_safetensors_write(path, entries, 4, false, &error), &error);
    pml_source *source = NULL;
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    CU_ASSERT_EQUAL(pml_source_n_tensors(source), 4);
    for (size_t i = 0; i < 4; i++) {
        const pml_source_tensor *tensor = pml_source_tensor_find(source, entries[i].name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
        CU_ASSERT_EQUAL(tensor->dtype, PML_DTYPE_F32);
        CU_ASSERT_EQUAL(tensor->rank, entries[i].rank);
        CU_ASSERT_EQUAL(memcmp(tensor->shape, entries[i].shape, tensor->rank * sizeof tensor->shape[0]), 0);
        const void *bytes = NULL;
        PML_ASSERT_OK(pml_source_tensor_view(source, tensor, &bytes, &error), &error);
        CU_ASSERT_TRUE(tensor->size_bytes == 0 || memcmp(bytes, entries[i].data, tensor->size_bytes) == 0);
    }
    pml_source_close(source);
}

static void bytes_do_not_depend_on_the_order_given(void) {
    pml_error error = {0};
    const char *a = pml_test_path("%s/a.safetensors", pml_test_temporary_dir());
    const char *b = pml_test_path("%s/b.safetensors", pml_test_temporary_dir());
    const pml_safetensors_entry one = {"x", 1, {2}, numbers}, two = {"y", 1, {3}, numbers + 2};
    PML_ASSERT_OK(pml_safetensors_write(a, (pml_safetensors_entry[]){one, two}, 2, false, &error), &error);
    PML_ASSERT_OK(pml_safetensors_write(b, (pml_safetensors_entry[]){two, one}, 2, false, &error), &error);
    size_t a_size = 0, b_size = 0;
    unsigned char *a_bytes = pml_test_read_file(a, &a_size), *b_bytes = pml_test_read_file(b, &b_size);
    CU_ASSERT_EQUAL(a_size, b_size);
    CU_ASSERT_EQUAL(memcmp(a_bytes, b_bytes, a_size), 0);
    uint64_t header = 0;
    memcpy(&header, a_bytes, 8);
    CU_ASSERT_EQUAL(header % 8, 0);
    CU_ASSERT_EQUAL(8 + header + 5 * sizeof(float), a_size);
    static const char expected[] = "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                                   "\"y\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[8,20]}}";
    CU_ASSERT_EQUAL(memcmp(a_bytes + 8, expected, strlen(expected)), 0);
    free(a_bytes);
    free(b_bytes);
}

static void refuses_bad_entries_and_existing_files(void) {
    pml_error error = {0};
    const char *path = pml_test_path("%s/refused.safetensors", pml_test_temporary_dir());
    const pml_safetensors_entry good = {"x", 1, {2}, numbers};
    const pml_safetensors_entry bad[] = {
        {"", 1, {2}, numbers},  {"__metadata__", 1, {2}, numbers},  {"a\nb", 1, {2}, numbers},
        {"x", 9, {1}, numbers}, {"x", 2, {UINT64_MAX, 2}, numbers},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        PML_ASSERT_FAILS(pml_safetensors_write(path, &bad[i], 1, false, &error), PML_E_ARGUMENT, &error, NULL);
    }
    pml_safetensors_entry twice[] = {good, good};
    PML_ASSERT_FAILS(pml_safetensors_write(path, twice, 2, false, &error), PML_E_ARGUMENT, &error, "twice");
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    PML_ASSERT_OK(pml_safetensors_write(path, &good, 1, false, &error), &error);
    PML_ASSERT_FAILS(pml_safetensors_write(path, &good, 1, false, &error), PML_E_ARGUMENT, &error, NULL);
    PML_ASSERT_OK(pml_safetensors_write(path, &good, 1, true, &error), &error);
    PML_ASSERT_FAILS(pml_safetensors_write("/nonexistent/x.safetensors", &good, 1, true, &error), PML_E_IO, &error,
                     "nonexistent");
}

static void every_failed_allocation_is_an_error(void) {
    const char *path = pml_test_path("%s/memory.safetensors", pml_test_temporary_dir());
    const pml_safetensors_entry good = {"x", 1, {2}, numbers};
    pml_status status = PML_E_MEMORY;
    unsigned long n = 1;
    for (; status != PML_OK && n < 100; n++) {
        pml_error error = {0};
        pml_test_fail_allocation(n, true);
        status = pml_safetensors_write(path, &good, 1, false, &error);
        pml_test_fail_allocation(0, false);
        if (status != PML_OK) {
            CU_ASSERT_EQUAL(status, PML_E_MEMORY);
            CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
        }
    }
    CU_ASSERT_TRUE(n > 2 && status == PML_OK);
}

PML_TESTS("convert/safetensors_writer", PML_TEST(writes_what_the_provider_reads),
          PML_TEST(bytes_do_not_depend_on_the_order_given), PML_TEST(refuses_bad_entries_and_existing_files),
          PML_TEST(every_failed_allocation_is_an_error))
