/* Backends: where kernels come from. A backend says whether it works here, fills the kernel table with the ops that
 * it accelerates (the rest stays with the CPU), and moves bytes when its memory is not the host's. */
#ifndef PML_RUNTIME_BACKENDS_BACKEND_H
#define PML_RUNTIME_BACKENDS_BACKEND_H

#include "runtime/kernels/kernels.h"
#include "runtime/tensor/tensor.h"

typedef struct pml_backend {
    const char *name;        /* as the user writes it, such as "cpu-blas" */
    const char *description; /* one line */
    /* PML_OK when it works on this machine; otherwise UNSUPPORTED with the reason. NULL: it always does. */
    pml_status (*check)(pml_error *error);
    /* Fills every slot of *table. `isa_mask` is what may be used (pml_isa_allowed). *state is the backend's own and
     * goes to the other slots. Errors: those of check; MEMORY. */
    pml_status (*open)(pml_kernels *table, uint32_t isa_mask, void **state, pml_error *error);
    /* 0: kernels keep their word that a row's result does not depend on the rows beside it. Otherwise products in
     * layout row do so only in blocks of this many rows, counted from the first: they are split between blocks. */
    size_t product_rows;
    void (*close)(void *state); /* NULL: nothing to release */
    /* Bring the device's or the host's copy of a buffer up to date, and wait for work under way. NULL: the memory is
     * the host's and work is done when a kernel returns. */
    pml_status (*upload)(void *state, pml_buffer *buffer, pml_error *error);
    pml_status (*download)(void *state, pml_buffer *buffer, pml_error *error);
    pml_status (*sync)(void *state, pml_error *error);
} pml_backend;

#define PML_BACKEND(id) extern const pml_backend pml_backend_##id;
#include "runtime/backends/registry.def"
#undef PML_BACKEND

/* NULL-terminated. */
extern const pml_backend *const pml_backends[];

/* The backend of that name. NULL: that of pml_backend_set or, without one, "auto", which is pml_backend_auto. Errors:
 * NOT_FOUND. */
pml_status pml_backend_find(const char *name, const pml_backend **backend, pml_error *error) PML_WARN_UNUSED;

/* What backends pinned to one bundle share: check it, and fill the table with nothing better than it. */
pml_status pml_backend_check_isa(const char *isa, uint32_t needs, pml_error *error) PML_WARN_UNUSED;
pml_status pml_backend_open_isa(const char *isa, uint32_t needs, uint32_t isa_mask, pml_kernels *table,
                                pml_error *error) PML_WARN_UNUSED;

/* Defines pml_backend_cpu_<isa>: pml's own kernels, pinned to that bundle. */
#define PML_BACKEND_PINNED(isa)                                                                                        \
    static pml_status check(pml_error *error) {                                                                        \
        return pml_backend_check_isa(#isa, PML_ISA_##isa, error);                                                      \
    }                                                                                                                  \
    static pml_status open(pml_kernels *table, uint32_t isa_mask, void **state, pml_error *error) {                    \
        *state = NULL;                                                                                                 \
        return pml_backend_open_isa(#isa, PML_ISA_##isa, isa_mask, table, error);                                      \
    }                                                                                                                  \
    const pml_backend pml_backend_cpu_##isa = {                                                                        \
        .name = "cpu-" #isa,                                                                                           \
        .description = "pml's own kernels, nothing better than " #isa,                                                 \
        .check = check,                                                                                                \
        .open = open,                                                                                                  \
    };

#endif
