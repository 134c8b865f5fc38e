/* Aligned columns. */
#include <stdio.h>
#include <string.h>

#include "convert/text_table.h"
#include "tests/harness.h"

static void columns_align(void) {
    pml_error error = {0};
    pml_text_table table;
    pml_text_table_init(&table, 3, 1u << 1);
    PML_ASSERT_OK(pml_text_table_row(&table, (const char *[]){"name", "bytes", "note"}, &error), &error);
    PML_ASSERT_OK(pml_text_table_row(&table, (const char *[]){"a", "12345678", ""}, &error), &error);
    PML_ASSERT_OK(pml_text_table_row(&table,
                                     (const char *[]){"Gr\xC3\xB6\xC3\x9F"
                                                      "e",
                                                      "7", "x\x1b"},
                                     &error),
                  &error);
    char written[512] = "";
    FILE *stream = fmemopen(written, sizeof written, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    pml_text_table_print(&table, stream, 2);
    fclose(stream);
    CU_ASSERT_STRING_EQUAL(written, "  name      bytes  note\n"
                                    "  a      12345678\n"
                                    "  Gr\xC3\xB6\xC3\x9F"
                                    "e         7  x\\x1B\n");
    pml_text_table_deinit(&table);
}

static void failed_row_leaves_the_table_whole(void) {
    pml_error error = {0};
    pml_text_table table;
    pml_text_table_init(&table, 2, 0);
    PML_ASSERT_OK(pml_text_table_row(&table, (const char *[]){"a", "b"}, &error), &error);
    pml_test_fail_allocation(2, true);
    PML_ASSERT_FAILS(pml_text_table_row(&table, (const char *[]){"cc", "dd"}, &error), PML_E_MEMORY, &error, NULL);
    pml_test_fail_allocation(0, false);
    CU_ASSERT_EQUAL(table.n_rows, 1);
    char written[64] = "";
    FILE *stream = fmemopen(written, sizeof written, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    pml_text_table_print(&table, stream, 0);
    fclose(stream);
    CU_ASSERT_STRING_EQUAL(written, "a  b\n");
    pml_text_table_deinit(&table);
}

PML_TESTS("convert/text_table", PML_TEST(columns_align), PML_TEST(failed_row_leaves_the_table_whole))
