#include "tests/runtime/kernels/check_matmul.h"

static void every_variant_is_right(void) {
    static const weights_form form = {.op = "matmul_panel_bf16", .is_panel = true, .is_bf16 = true};
    check_matmul_variants(&form);
}

PML_TESTS("kernels/matmul_panel_bf16", PML_TEST(every_variant_is_right))
