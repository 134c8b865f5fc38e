/* Directories of archives: what a finder sees and a reader gets. What must be refused is tested with whole files in
 * tests/goldens/torch. */
#include "formats/zip_directory.h"

#include <string.h>

#include "tests/formats/zip_builder.h"
#include "tests/harness.h"

static const char long_text[] =
    "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc";
static const pml_zip_part parts[] = {
    {"folder/stored", "0123456789", 10, false},
    {"deflated", long_text, sizeof long_text, true},
    {"empty", "", 0, false},
    {"folder/", "", 0, false},
};
enum { N_PARTS = sizeof parts / sizeof parts[0] };

static void finds_and_reads(void) {
    pml_zip_builder built;
    pml_zip zip;
    pml_error error;
    char buffer[sizeof long_text];
    pml_zip_build(&built, parts, N_PARTS);
    PML_ASSERT_OK(pml_zip_open(built.bytes, built.size_bytes, "x.zip", &zip, &error), &error);
    CU_ASSERT_EQUAL_FATAL(zip.n_entries, N_PARTS);
    CU_ASSERT_PTR_NULL(pml_zip_find(&zip, "stored"));
    CU_ASSERT_PTR_NULL(pml_zip_find(&zip, ""));
    for (size_t i = 0; i < N_PARTS; i++) {
        const pml_zip_entry *entry = pml_zip_find(&zip, parts[i].name);
        CU_ASSERT_PTR_EQUAL_FATAL(entry, &zip.entries[i]);
        CU_ASSERT_EQUAL(entry->size_bytes, parts[i].size_bytes);
        CU_ASSERT_EQUAL(entry->data_offset, built.data_at[i]);
        CU_ASSERT_EQUAL(entry->method, parts[i].is_deflated ? PML_ZIP_DEFLATED : PML_ZIP_STORED);
        PML_ASSERT_OK(pml_zip_read(&zip, entry, buffer, &error), &error);
        CU_ASSERT_EQUAL(memcmp(buffer, parts[i].bytes, parts[i].size_bytes), 0);
    }
    CU_ASSERT_EQUAL(memcmp(built.bytes + zip.entries[0].data_offset, "0123456789", 10), 0);
    PML_ASSERT_OK(pml_zip_check(&zip, &zip.entries[0], &error), &error);
    PML_ASSERT_FAILS(pml_zip_check(&zip, &zip.entries[1], &error), PML_E_ARGUMENT, &error, "in place");
    pml_zip_deinit(&zip);
    free(built.bytes);
}

static void reads_an_empty_archive(void) {
    pml_zip_builder built;
    pml_zip zip;
    pml_error error;
    pml_zip_build(&built, parts, 0);
    CU_ASSERT_TRUE(pml_zip_is_archive(built.bytes, built.size_bytes));
    PML_ASSERT_OK(pml_zip_open(built.bytes, built.size_bytes, "x.zip", &zip, &error), &error);
    CU_ASSERT_EQUAL(zip.n_entries, 0);
    pml_zip_deinit(&zip);
    free(built.bytes);
}

static void finds_damaged_data(void) {
    for (size_t i = 0; i < 2; i++) {
        pml_zip_builder built;
        pml_zip zip;
        pml_error error;
        char buffer[sizeof long_text];
        pml_zip_build(&built, parts, N_PARTS);
        built.bytes[built.data_at[i] + 3] ^= 1;
        PML_ASSERT_OK(pml_zip_open(built.bytes, built.size_bytes, "x.zip", &zip, &error), &error);
        PML_ASSERT_FAILS(pml_zip_read(&zip, &zip.entries[i], buffer, &error), PML_E_FORMAT, &error, parts[i].name);
        pml_zip_deinit(&zip);
        free(built.bytes);
    }
}

/* Every allocation of opening and reading fails once: an error, and nothing is lost. */
static void survives_scarce_memory(void) {
    pml_zip_builder built;
    pml_zip_build(&built, parts, N_PARTS);
    pml_status status = PML_E_MEMORY;
    for (unsigned long n = 1; n < 100 && status == PML_E_MEMORY; n++) {
        pml_zip zip;
        pml_test_fail_allocation(n, false);
        status = pml_zip_open(built.bytes, built.size_bytes, "x.zip", &zip, NULL);
        pml_test_fail_allocation(0, false);
        pml_zip_deinit(&zip);
    }
    CU_ASSERT_EQUAL(status, PML_OK);
    free(built.bytes);
}

PML_TESTS("formats/zip_directory", PML_TEST(finds_and_reads), PML_TEST(reads_an_empty_archive),
          PML_TEST(finds_damaged_data), PML_TEST(survives_scarce_memory))
