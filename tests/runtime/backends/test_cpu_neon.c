#include "tests/runtime/backends/check_pinned.h"

static const pinned backend = PINNED(neon);

static void uses_nothing_better(void) {
    check_pinned_kernels(&backend);
}

static void says_why_it_cannot_run(void) {
    check_pinned_reasons(&backend);
}

PML_TESTS("backends/cpu_neon", PML_TEST(uses_nothing_better), PML_TEST(says_why_it_cannot_run))
