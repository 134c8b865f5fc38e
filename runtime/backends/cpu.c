/* The default: pml's own kernels in the best instruction set that is allowed. */
#include "runtime/backends/backend.h"

static pml_status check(pml_error *error) {
    uint32_t allowed = 0;
    return pml_isa_allowed(&allowed, error);
}

static pml_status open(pml_kernels *table, uint32_t isa_mask, void **state, pml_error *error) {
    (void)error;
    pml_kernels_select(table, isa_mask);
    *state = NULL;
    return PML_OK;
}

const pml_backend pml_backend_cpu = {
    .name = "cpu",
    .description = "pml's own kernels, with the best instruction set of this CPU",
    .check = check,
    .open = open,
};
