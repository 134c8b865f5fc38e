#include "tests/harness.h"

#include "runtime/base/limits.h"
#include "runtime/file/layout.h"

static void sizes_are_those_of_the_specification(void) {
    static const struct {
        pml_layout layout;
        pml_dtype dtype;
        unsigned rank;
        uint64_t shape[4], size_bytes;
    } cases[] = {
        {PML_LAYOUT_ROW, PML_DTYPE_F32, 0, {0}, 4},           {PML_LAYOUT_ROW, PML_DTYPE_F32, 1, {3}, 12},
        {PML_LAYOUT_ROW, PML_DTYPE_BF16, 2, {3, 5}, 30},      {PML_LAYOUT_PANEL, PML_DTYPE_F32, 2, {3, 18}, 384},
        {PML_LAYOUT_PANEL, PML_DTYPE_BF16, 2, {3, 2}, 128},   {PML_LAYOUT_PANEL, PML_DTYPE_F32, 3, {2, 3, 18}, 768},
        {PML_LAYOUT_PANEL, PML_DTYPE_F32, 2, {21, 16}, 1344}, {PML_LAYOUT_PANEL, PML_DTYPE_I8, 2, {5, 20}, 256},
        {PML_LAYOUT_PANEL, PML_DTYPE_I8, 2, {100, 20}, 3200}, {PML_LAYOUT_PANEL, PML_DTYPE_C64, 3, {2, 4, 18}, 2048},
        {PML_LAYOUT_ROW, PML_DTYPE_C64, 1, {3}, 76},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t size_bytes = 0;
        pml_error error = {0};
        PML_ASSERT_OK(
            pml_layout_size(cases[i].layout, cases[i].dtype, cases[i].shape, cases[i].rank, &size_bytes, &error),
            &error);
        CU_ASSERT_EQUAL(size_bytes, cases[i].size_bytes);
    }
}

static void scales_are_those_of_the_specification(void) {
    static const struct {
        pml_dtype dtype;
        uint32_t group_rows;
        uint64_t shape[3], size_bytes;
    } cases[] = {
        {PML_DTYPE_F32, 0, {1, 5, 20}, 0},   {PML_DTYPE_I8, 0, {1, 5, 20}, 128},  {PML_DTYPE_I8, 64, {1, 100, 20}, 128},
        {PML_DTYPE_I8, 64, {1, 64, 16}, 32}, {PML_DTYPE_I8, 32, {1, 64, 16}, 64}, {PML_DTYPE_I8, 32, {3, 65, 1}, 288},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t scales_bytes = 1, sums_bytes = 2;
        pml_error error = {0};
        PML_ASSERT_OK(pml_layout_scales(cases[i].dtype, cases[i].shape, 3, cases[i].group_rows, &scales_bytes,
                                        &sums_bytes, &error),
                      &error);
        CU_ASSERT(scales_bytes == cases[i].size_bytes && sums_bytes == cases[i].size_bytes);
    }
}

static void refuses_what_overflows(void) {
    pml_error error = {0};
    uint64_t size_bytes = 77, sums_bytes = 77;
    static const uint64_t product[] = {1ull << 32, 1ull << 32}, bytes[] = {1ull << 62, 1}, pad[] = {1, UINT64_MAX - 3};
    static const uint64_t depth[] = {UINT64_MAX, 1}, batch[] = {1ull << 60, 1, 1}, zero[] = {0, 1},
                          half[] = {1ull << 61, 1};
    PML_ASSERT_FAILS(pml_layout_size(PML_LAYOUT_ROW, PML_DTYPE_F32, product, 2, &size_bytes, &error), PML_E_FORMAT,
                     &error, "overflows");
    PML_ASSERT_FAILS(pml_layout_size(PML_LAYOUT_ROW, PML_DTYPE_F32, bytes, 2, &size_bytes, &error), PML_E_FORMAT,
                     &error, "overflows");
    PML_ASSERT_FAILS(pml_layout_size(PML_LAYOUT_PANEL, PML_DTYPE_F32, pad, 2, &size_bytes, &error), PML_E_FORMAT,
                     &error, "overflows");
    PML_ASSERT_FAILS(pml_layout_size(PML_LAYOUT_PANEL, PML_DTYPE_BF16, depth, 2, &size_bytes, &error), PML_E_FORMAT,
                     &error, "overflows");
    PML_ASSERT_FAILS(pml_layout_size(PML_LAYOUT_PANEL, PML_DTYPE_F32, batch, 3, &size_bytes, &error), PML_E_FORMAT,
                     &error, "overflows");
    PML_ASSERT_FAILS(pml_layout_size(PML_LAYOUT_ROW, PML_DTYPE_C64, half, 2, &size_bytes, &error), PML_E_FORMAT, &error,
                     "overflows");
    PML_ASSERT_FAILS(pml_layout_size(PML_LAYOUT_ROW, PML_DTYPE_F32, zero, 2, &size_bytes, &error), PML_E_FORMAT, &error,
                     "dimension 0 is 0");
    PML_ASSERT_FAILS(pml_layout_size(PML_LAYOUT_ROW, PML_DTYPE_F32, zero, 9, &size_bytes, &error), PML_E_FORMAT, &error,
                     "rank 9");
    PML_ASSERT_FAILS(pml_layout_scales(PML_DTYPE_I8, pad, 2, 0, &size_bytes, &sums_bytes, &error), PML_E_FORMAT, &error,
                     "overflows");
    PML_ASSERT_FAILS(pml_layout_scales(PML_DTYPE_I8, depth, 2, 64, &size_bytes, &sums_bytes, &error), PML_E_FORMAT,
                     &error, "overflows");
    PML_ASSERT_FAILS(pml_layout_scales(PML_DTYPE_I8, batch, 1, 0, &size_bytes, &sums_bytes, &error), PML_E_FORMAT,
                     &error, "needs a matrix");
    CU_ASSERT(size_bytes == 77 && sums_bytes == 77);
}

static void tells_unsupported_from_invalid(void) {
    pml_error error = {0};
    uint64_t size_bytes = 0;
    static const uint64_t shape[] = {4, 4};
    PML_ASSERT_FAILS(pml_layout_size((pml_layout)3, PML_DTYPE_F32, shape, 2, &size_bytes, &error), PML_E_UNSUPPORTED,
                     &error, "layout 3");
    PML_ASSERT_FAILS(pml_layout_size(PML_LAYOUT_PANEL, PML_DTYPE_F64, shape, 2, &size_bytes, &error), PML_E_UNSUPPORTED,
                     &error, "F64");
    PML_ASSERT_FAILS(pml_layout_size(PML_LAYOUT_ROW, PML_DTYPE_I8, shape, 2, &size_bytes, &error), PML_E_UNSUPPORTED,
                     &error, "I8");
    PML_ASSERT_FAILS(pml_layout_size(PML_LAYOUT_PANEL, PML_DTYPE_F32, shape, 1, &size_bytes, &error), PML_E_FORMAT,
                     &error, "needs a matrix");
}

static void names(void) {
    pml_error error = {0};
    pml_layout layout = PML_LAYOUT_ROW;
    PML_ASSERT_OK(pml_layout_from_name("panel", &layout, &error), &error);
    CU_ASSERT_EQUAL(layout, PML_LAYOUT_PANEL);
    PML_ASSERT_OK(pml_layout_from_name("row", &layout, &error), &error);
    CU_ASSERT_EQUAL(layout, PML_LAYOUT_ROW);
    PML_ASSERT_FAILS(pml_layout_from_name("column", &layout, &error), PML_E_ARGUMENT, &error, "'column'");
    CU_ASSERT_STRING_EQUAL(pml_layout_name(PML_LAYOUT_PANEL), "panel");
    CU_ASSERT_STRING_EQUAL(pml_layout_name((pml_layout)9), "?");
    CU_ASSERT(pml_panel_depth(PML_DTYPE_F32) == 1 && pml_panel_depth(PML_DTYPE_BF16) == 2);
    CU_ASSERT(pml_panel_depth(PML_DTYPE_I8) == 4 && pml_panel_depth(PML_DTYPE_F16) == 0);
}

PML_TESTS("runtime/file/layout", PML_TEST(sizes_are_those_of_the_specification),
          PML_TEST(scales_are_those_of_the_specification), PML_TEST(refuses_what_overflows),
          PML_TEST(tells_unsupported_from_invalid), PML_TEST(names))
