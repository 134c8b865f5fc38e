#include "runtime/backends/backend.h"
#include "tests/runtime/kernels/check_matmul.h"

static const weights_form row_f32 = {.op = "matmul_row_f32", .is_panel = false, .is_bf16 = false};

static bool open_table(pml_kernels *table) {
    pml_error error;
    void *state = NULL;
    if (pml_backend_check("cpu-blas", &error) != PML_OK) {
        pml_test_skip(error.message);
        return false;
    }
    memset(table, 0, sizeof *table);
    PML_ASSERT_OK(pml_backend_cpu_blas.open(table, pml_isa_detect(), &state, &error), &error);
    return true;
}

static void products_are_those_of_our_own_kernels(void) {
    pml_kernels table;
    if (open_table(&table)) {
        static const pml_kernel_variant blas = {.op = "matmul_row_f32", .isa = "cpu-blas"};
        CU_ASSERT_TRUE(table.matmul_row_f32 != pml_matmul_row_f32_scalar);
        check_matmul_kernel(&row_f32, &blas, table.matmul_row_f32);
    }
}

static void a_residual_may_lie_in_y(void) {
    pml_kernels table;
    if (open_table(&table)) {
        check_matmul_in_place(&row_f32, table.matmul_row_f32, false);
    }
}

static void leaves_all_other_ops_to_the_cpu(void) {
    pml_kernels table, own;
    if (open_table(&table)) {
        memset(&own, 0, sizeof own);
        pml_kernels_select(&own, pml_isa_detect());
        own.matmul_row_f32 = table.matmul_row_f32;
        CU_ASSERT_EQUAL(memcmp(&own, &table, sizeof own), 0);
    }
}

PML_TESTS("backends/cpu_blas", PML_TEST(products_are_those_of_our_own_kernels), PML_TEST(a_residual_may_lie_in_y),
          PML_TEST(leaves_all_other_ops_to_the_cpu))
