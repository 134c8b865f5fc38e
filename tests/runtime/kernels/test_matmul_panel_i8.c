#include "tests/runtime/kernels/check_matmul_i8.h"

static void every_variant_is_right(void) {
    check_i8_variants("matmul_panel_i8", 0);
}

PML_TESTS("kernels/matmul_panel_i8", PML_TEST(every_variant_is_right))
