/* What the tests use of CUnit, for machines whose CUnit is not installed (cross builds): same names, same meaning. */
#ifndef PML_TESTS_EMULATED_CUNIT_H
#define PML_TESTS_EMULATED_CUNIT_H

#include <math.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef void CU_test(void);
typedef const char *CU_pSuite;
enum { CUE_SUCCESS, CU_BRM_VERBOSE };

/* Each is defined in Basic.h, which the harness alone includes. */
void pml_cunit_check(bool holds, const char *expression, const char *file, int line, bool is_fatal);
int CU_initialize_registry(void);
CU_pSuite CU_add_suite(const char *name, void *init, void *cleanup);
void CU_add_test(CU_pSuite suite, const char *name, CU_test *test);
void CU_basic_set_mode(int mode);
void CU_basic_run_tests(void);
unsigned CU_get_number_of_failures(void);
void CU_cleanup_registry(void);

#define PML_CUNIT_CHECK(holds, text, is_fatal) pml_cunit_check((holds), text, __FILE__, __LINE__, is_fatal)
#define CU_ASSERT(a) PML_CUNIT_CHECK((a) ? true : false, #a, false)
#define CU_ASSERT_FATAL(a) PML_CUNIT_CHECK((a) ? true : false, #a, true)
#define CU_ASSERT_TRUE(a) CU_ASSERT(a)
#define CU_ASSERT_TRUE_FATAL(a) CU_ASSERT_FATAL(a)
#define CU_ASSERT_FALSE(a) PML_CUNIT_CHECK(!(a), "not " #a, false)
#define CU_ASSERT_EQUAL(a, b) PML_CUNIT_CHECK((a) == (b), #a " == " #b, false)
#define CU_ASSERT_EQUAL_FATAL(a, b) PML_CUNIT_CHECK((a) == (b), #a " == " #b, true)
#define CU_ASSERT_NOT_EQUAL(a, b) PML_CUNIT_CHECK((a) != (b), #a " != " #b, false)
#define CU_ASSERT_PTR_EQUAL(a, b) PML_CUNIT_CHECK((a) == (b), #a " == " #b, false)
#define CU_ASSERT_PTR_NOT_EQUAL(a, b) PML_CUNIT_CHECK((a) != (b), #a " != " #b, false)
#define CU_ASSERT_PTR_NULL(a) PML_CUNIT_CHECK((a) == NULL, #a " == NULL", false)
#define CU_ASSERT_PTR_NOT_NULL(a) PML_CUNIT_CHECK((a) != NULL, #a " != NULL", false)
#define CU_ASSERT_PTR_NOT_NULL_FATAL(a) PML_CUNIT_CHECK((a) != NULL, #a " != NULL", true)
#define CU_ASSERT_STRING_EQUAL(a, b) PML_CUNIT_CHECK(strcmp((a), (b)) == 0, #a " is " #b, false)
#define CU_ASSERT_STRING_EQUAL_FATAL(a, b) PML_CUNIT_CHECK(strcmp((a), (b)) == 0, #a " is " #b, true)
#define CU_ASSERT_STRING_NOT_EQUAL(a, b) PML_CUNIT_CHECK(strcmp((a), (b)) != 0, #a " is not " #b, false)
#define CU_ASSERT_DOUBLE_EQUAL(a, b, bound)                                                                            \
    PML_CUNIT_CHECK(fabs((double)(a) - (double)(b)) <= fabs((double)(bound)), #a " is about " #b, false)
#define CU_FAIL(text) PML_CUNIT_CHECK(false, text, false)

#endif
