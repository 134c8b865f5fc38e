/* pml's own kernels, pinned to the bundle avx512vnni. */
#include "runtime/backends/backend.h"

static pml_status check(pml_error *error) {
    return pml_backend_check_isa("avx512vnni", PML_ISA_avx512vnni, error);
}

static pml_status open(pml_kernels *table, uint32_t isa_mask, void **state, pml_error *error) {
    *state = NULL;
    return pml_backend_open_isa("avx512vnni", PML_ISA_avx512vnni, isa_mask, table, error);
}

const pml_backend pml_backend_cpu_avx512vnni = {
    .name = "cpu-avx512vnni",
    .description = "pml's own kernels, nothing better than avx512vnni",
    .check = check,
    .open = open,
};
