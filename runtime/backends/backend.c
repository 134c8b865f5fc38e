#include "runtime/backends/backend.h"

#include <string.h>

const pml_backend *const pml_backends[] = {
#define PML_BACKEND(id) &pml_backend_##id,
#include "runtime/backends/registry.def"
#undef PML_BACKEND
    NULL};

static const size_t n_backends = sizeof pml_backends / sizeof pml_backends[0] - 1;

pml_status pml_backend_find(const char *name, const pml_backend **backend, pml_error *error) {
    if (name == NULL || strcmp(name, "auto") == 0) {
        name = "cpu";
    }
    for (size_t i = 0; i < n_backends; i++) {
        if (strcmp(pml_backends[i]->name, name) == 0) {
            *backend = pml_backends[i];
            return PML_OK;
        }
    }
    return PML_FAIL(error, PML_E_NOT_FOUND, "there is no backend '%s'", name);
}

const char *pml_backend_at(size_t i_backend) {
    return i_backend < n_backends ? pml_backends[i_backend]->name : NULL;
}

pml_status pml_backend_check(const char *name, pml_error *error) {
    pml_status status = PML_OK;
    const pml_backend *backend = NULL;
    PML_TRY(pml_backend_find(name, &backend, error));
    if (backend->check != NULL) {
        PML_TRY(backend->check(error));
    }
done:
    return status;
}

static pml_status refuse(const char *isa, uint32_t needs, pml_error *error) {
    bool lacks = (pml_isa_detect() & needs) != needs;
    return PML_FAIL(error, PML_E_UNSUPPORTED, lacks ? "this machine does not have %s" : "PML_ISA does not allow %s",
                    isa);
}

pml_status pml_backend_check_isa(const char *isa, uint32_t needs, pml_error *error) {
    pml_status status = PML_OK;
    uint32_t allowed = 0;
    PML_TRY(pml_isa_allowed(&allowed, error));
    if ((allowed & needs) != needs) {
        PML_TRY(refuse(isa, needs, error));
    }
done:
    return status;
}

pml_status pml_backend_open_isa(const char *isa, uint32_t needs, uint32_t isa_mask, pml_kernels *table,
                                pml_error *error) {
    if ((isa_mask & needs) != needs) {
        return refuse(isa, needs, error);
    }
    pml_kernels_select(table, needs);
    return PML_OK;
}
