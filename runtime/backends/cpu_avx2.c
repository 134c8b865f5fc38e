/* pml's own kernels, pinned to the bundle avx2. */
#include "runtime/backends/backend.h"

static pml_status check(pml_error *error) {
    return pml_backend_check_isa("avx2", PML_ISA_avx2, error);
}

static pml_status open(pml_kernels *table, uint32_t isa_mask, void **state, pml_error *error) {
    *state = NULL;
    return pml_backend_open_isa("avx2", PML_ISA_avx2, isa_mask, table, error);
}

const pml_backend pml_backend_cpu_avx2 = {
    .name = "cpu-avx2",
    .description = "pml's own kernels, nothing better than avx2",
    .check = check,
    .open = open,
};
