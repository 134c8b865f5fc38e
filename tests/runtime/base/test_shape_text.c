#include "tests/harness.h"

#include <string.h>

#include "runtime/base/shape_text.h"

static void shapes_are_lists(void) {
    static const uint64_t shape[] = {2, 0, 3};
    char text[PML_SHAPE_TEXT_BYTES];
    CU_ASSERT_STRING_EQUAL(pml_shape_text(NULL, 0, text), "[]");
    CU_ASSERT_STRING_EQUAL(pml_shape_text(shape, 1, text), "[2]");
    CU_ASSERT_STRING_EQUAL(pml_shape_text(shape, 3, text), "[2,0,3]");
}

static void the_longest_shape_fits(void) {
    uint64_t shape[PML_MAX_RANK];
    char text[PML_SHAPE_TEXT_BYTES];
    memset(shape, 0xff, sizeof shape);
    CU_ASSERT_EQUAL(strlen(pml_shape_text(shape, PML_MAX_RANK, text)), PML_MAX_RANK * 21u + 1u);
    CU_ASSERT_EQUAL(strncmp(text, "[18446744073709551615,1844", 26), 0);
}

PML_TESTS("runtime/base/shape_text", PML_TEST(shapes_are_lists), PML_TEST(the_longest_shape_fits))
