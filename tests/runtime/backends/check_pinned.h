/* One checker for the backends that are pinned to a bundle. */
#ifndef PML_TESTS_RUNTIME_BACKENDS_CHECK_PINNED_H
#define PML_TESTS_RUNTIME_BACKENDS_CHECK_PINNED_H

#include <string.h>

#include "runtime/backends/backend.h"
#include "tests/harness.h"

typedef struct pinned {
    const pml_backend *backend;
    const char *isa, *name;
    uint32_t needs;
} pinned;
#define PINNED(isa)                                                                                                    \
    { &pml_backend_cpu_##isa, #isa, "cpu-" #isa, PML_ISA_##isa }

static inline void check_pinned_kernels(const pinned *p) {
    pml_error error;
    pml_kernels table, expected;
    void *state = NULL;
    memset(&table, 0, sizeof table);
    PML_ASSERT_OK(p->backend->open(&table, UINT32_MAX, &state, &error), &error);
    memset(&expected, 0, sizeof expected);
    pml_kernels_select(&expected, p->needs);
    CU_ASSERT_EQUAL(memcmp(&table, &expected, sizeof table), 0);
    CU_ASSERT_STRING_EQUAL(p->backend->name, p->name);
}

static inline void check_pinned_reasons(const pinned *p) {
    pml_error error;
    pml_kernels table;
    void *state = NULL;
    const bool has = (pml_isa_detect() & p->needs) == p->needs;
    const char *reason = pml_test_path(has ? "PML_ISA does not allow %s" : "does not have %s", p->isa);
    (void)setenv("PML_ISA", "scalar", 1);
    PML_ASSERT_FAILS(pml_backend_check(p->name, &error), PML_E_UNSUPPORTED, &error, reason);
    (void)unsetenv("PML_ISA");
    PML_ASSERT_FAILS(p->backend->open(&table, PML_ISA_scalar, &state, &error), PML_E_UNSUPPORTED, &error, p->isa);
    CU_ASSERT_EQUAL(pml_backend_check(p->name, NULL), has ? PML_OK : PML_E_UNSUPPORTED);
}

#endif
