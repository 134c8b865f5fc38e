#include "runtime/backends/backend.h"

#include <stdatomic.h>
#include <string.h>

const pml_backend *const pml_backends[] = {
#define PML_BACKEND(id) &pml_backend_##id,
#include "runtime/backends/registry.def"
#undef PML_BACKEND
    NULL};

static const size_t n_backends = sizeof pml_backends / sizeof pml_backends[0] - 1;

/* Of pml_backend_set; NULL: none, what "auto" means. */
static _Atomic(const pml_backend *) chosen;

const char *pml_backend_best_cpu(void) {
    return pml_backend_cpu.name;
}

const char *pml_backend_auto(void) {
    return pml_backend_best_cpu();
}

pml_status pml_backend_set(const char *name, pml_error *error) {
    pml_status status = PML_OK;
    const pml_backend *backend = NULL;
    if (name != NULL && strcmp(name, "auto") != 0) {
        PML_TRY(pml_backend_check(name, error));
        PML_TRY(pml_backend_find(name, &backend, error));
    }
    atomic_store(&chosen, backend);
done:
    return status;
}

pml_status pml_backend_find(const char *name, const pml_backend **backend, pml_error *error) {
    const pml_backend *standing = atomic_load(&chosen);
    if (name == NULL && standing != NULL) {
        *backend = standing;
        return PML_OK;
    }
    if (name == NULL || strcmp(name, "auto") == 0) {
        name = pml_backend_auto();
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
