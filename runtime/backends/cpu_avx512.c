/* pml's own kernels, pinned to the bundle avx512. */
#include "runtime/backends/backend.h"

static pml_status check(pml_error *error) {
    return pml_backend_check_isa("avx512", PML_ISA_avx512, error);
}

static pml_status open(pml_kernels *table, uint32_t isa_mask, void **state, pml_error *error) {
    *state = NULL;
    return pml_backend_open_isa("avx512", PML_ISA_avx512, isa_mask, table, error);
}

const pml_backend pml_backend_cpu_avx512 = {
    .name = "cpu-avx512",
    .description = "pml's own kernels, nothing better than avx512",
    .check = check,
    .open = open,
};
