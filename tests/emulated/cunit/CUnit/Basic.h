/* The runner of the stand-in for CUnit; included once, by tests/harness.c. */
#ifndef PML_TESTS_EMULATED_CUNIT_BASIC_H
#define PML_TESTS_EMULATED_CUNIT_BASIC_H

#include <CUnit/CUnit.h>
#include <stdlib.h>

enum { PML_CUNIT_MAX_TESTS = 256 };
static struct {
    const char *name;
    CU_test *run;
} cunit_tests[PML_CUNIT_MAX_TESTS];
static size_t n_cunit_tests;
static unsigned n_cunit_failures;
static jmp_buf cunit_fatal;

void pml_cunit_check(bool holds, const char *expression, const char *file, int line, bool is_fatal) {
    if (holds) {
        return;
    }
    n_cunit_failures++;
    (void)printf("\n    %s:%d: %s\n", file, line, expression);
    if (is_fatal) {
        longjmp(cunit_fatal, 1);
    }
}

int CU_initialize_registry(void) {
    return CUE_SUCCESS;
}

CU_pSuite CU_add_suite(const char *name, void *init, void *cleanup) {
    (void)init, (void)cleanup;
    (void)printf("Suite: %s\n", name);
    return name;
}

void CU_add_test(CU_pSuite suite, const char *name, CU_test *test) {
    (void)suite;
    if (n_cunit_tests == PML_CUNIT_MAX_TESTS) {
        abort();
    }
    cunit_tests[n_cunit_tests].name = name;
    cunit_tests[n_cunit_tests++].run = test;
}

void CU_basic_set_mode(int mode) {
    (void)mode;
}

static void cunit_run(CU_test *test) {
    if (setjmp(cunit_fatal) == 0) {
        test();
    }
}

void CU_basic_run_tests(void) {
    for (size_t i = 0; i < n_cunit_tests; i++) {
        const unsigned n_before = n_cunit_failures;
        (void)printf("  Test: %s ...", cunit_tests[i].name);
        (void)fflush(stdout);
        cunit_run(cunit_tests[i].run);
        (void)printf("%s\n", n_cunit_failures == n_before ? "passed" : "FAILED");
    }
}

unsigned CU_get_number_of_failures(void) {
    return n_cunit_failures;
}

void CU_cleanup_registry(void) {
}

#endif
