#include "tests/runtime/kernels/check_matmul_i8.h"

static void every_variant_is_right_in_groups_of_64(void) {
    check_i8_variants("matmul_panel_i8g", 64);
}

static void every_variant_is_right_in_groups_of_32(void) {
    check_i8_variants("matmul_panel_i8g", 32);
}

PML_TESTS("kernels/matmul_panel_i8g", PML_TEST(every_variant_is_right_in_groups_of_64),
          PML_TEST(every_variant_is_right_in_groups_of_32))
