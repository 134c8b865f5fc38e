#include "runtime/schema/expr.h"

#include <string.h>

#include "tests/harness.h"

static pml_status lookup(void *user, const char *name, size_t name_bytes, pml_expr_value *value, pml_error *error) {
    (void)user;
    if (name_bytes == 1 && name[0] >= 'a' && name[0] <= 'z') {
        *value = (pml_expr_value){.integer = name[0] - 'a'};
        return PML_OK;
    }
    if (name_bytes == 4 && memcmp(name, "word", 4) == 0) {
        *value = (pml_expr_value){.text = "std"};
        return PML_OK;
    }
    return PML_FAIL(error, PML_E_NOT_FOUND, "no name %.*s", (int)name_bytes, name);
}

static void evaluates(void) {
    static const struct {
        const char *expression;
        int64_t value;
    } cases[] = {
        {"7", 7},
        {" ( 1 + 2 ) * 3 ", 9},
        {"1+2*3", 7},
        {"10-3-2", 5},
        {"20/3/2", 3},
        {"7/2", 3},
        {"-7/2", -4},
        {"7/-2", -4},
        {"-7/-2", 3},
        {"7%3", 1},
        {"-7%3", 2},
        {"7%-3", -2},
        {"-6/3", -2},
        {"--4", 4},
        {"!0", 1},
        {"!5", 0},
        {"!!5", 1},
        {"d", 3},
        {"d*d-b", 8},
        {"1==1", 1},
        {"1!=1", 0},
        {"2<3", 1},
        {"3<3", 0},
        {"3<=3", 1},
        {"3>2", 1},
        {"2>=3", 0},
        {"1&&2", 1},
        {"1&&0", 0},
        {"0||3", 1},
        {"0||0", 0},
        {"1||0&&0", 1},
        {"word=='std'", 1},
        {"word!='std'", 0},
        {"'a'=='b'", 0},
        {"word == 'std' ? 2 : 3", 2},
        {"0 ? 1 : 0 ? 2 : 3", 3},
        {"0 && unknown", 0}, /* the branch not taken is not looked up */
        {"1 || unknown", 1},
        {"1 ? 2 : unknown", 2},
        {"0 ? unknown : 2", 2},
        {"0 && 1/0", 0},
        {"0 && 'text' < 3", 0},
        {"0 ? 'x' : 4", 4},
        {"(1 ? 'p' : 'q') == 'p'", 1},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775807-1", INT64_MIN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = -999;
        pml_error error;
        PML_ASSERT_OK(pml_expr_integer(cases[i].expression, lookup, NULL, &value, &error), &error);
        CU_ASSERT_EQUAL(value, cases[i].value);
    }
}

static void refuses(void) {
    static const struct {
        const char *expression;
        pml_status expected;
        const char *part;
    } cases[] = {
        {"", PML_E_CONFIG, "a value is expected"},
        {"1+", PML_E_CONFIG, "a value is expected"},
        {"(1", PML_E_CONFIG, "')' expected"},
        {"1)", PML_E_CONFIG, "unexpected text"},
        {"1 2", PML_E_CONFIG, "unexpected text"},
        {"1 ? 2", PML_E_CONFIG, "':' expected"},
        {"1 < 2 < 3", PML_E_CONFIG, "unexpected text"},
        {"1 = 1", PML_E_CONFIG, "unexpected text"},
        {"1 & 1", PML_E_CONFIG, "unexpected text"},
        {"'abc", PML_E_CONFIG, "closing quote"},
        {"'abc'", PML_E_CONFIG, "number is needed"},
        {"-'a'", PML_E_CONFIG, "number is needed"},
        {"!'a'", PML_E_CONFIG, "number is needed"},
        {"'a'+1", PML_E_CONFIG, "arithmetic on text"},
        {"'a' < 'b'", PML_E_CONFIG, "cannot be compared"},
        {"'a' == 1", PML_E_CONFIG, "cannot be compared"},
        {"'a' && 1", PML_E_CONFIG, "number is needed"},
        {"'a' ? 1 : 2", PML_E_CONFIG, "number is needed"},
        {"1/0", PML_E_CONFIG, "division by zero"},
        {"1%0", PML_E_CONFIG, "division by zero"},
        {"9223372036854775808", PML_E_CONFIG, "too large"},
        {"9223372036854775807+1", PML_E_CONFIG, "overflow"},
        {"-9223372036854775807-2", PML_E_CONFIG, "overflow"},
        {"4611686018427387904*2", PML_E_CONFIG, "overflow"},
        {"(-9223372036854775807-1)/-1", PML_E_CONFIG, "overflow"},
        {"-(-9223372036854775807-1)", PML_E_CONFIG, "overflow"},
        {"unknown", PML_E_NOT_FOUND, "no name unknown"},
        {"1 $ 2", PML_E_CONFIG, "at character 3"},
        {"'0123456789012345678901234567890123456789012345678901234567890123' == 'a'", PML_E_CONFIG, "too long"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = -999;
        pml_error error;
        PML_ASSERT_FAILS(pml_expr_integer(cases[i].expression, lookup, NULL, &value, &error), cases[i].expected, &error,
                         cases[i].part);
        CU_ASSERT_EQUAL(value, -999);
    }
}

static void limits_nesting(void) {
    static const char *const openers[] = {"(", "!", "-", "1?"};
    for (size_t i = 0; i < sizeof openers / sizeof openers[0]; i++) {
        static char text[100001];
        size_t length = strlen(openers[i]);
        for (size_t j = 0; j + length < sizeof text; j += length) {
            memcpy(text + j, openers[i], length);
        }
        text[sizeof text - 1] = '\0';
        int64_t value;
        CU_ASSERT_EQUAL(pml_expr_integer(text, lookup, NULL, &value, NULL), PML_E_CONFIG);
    }
    int64_t value = 0;
    CU_ASSERT_EQUAL(pml_expr_integer("((((((((((((((((1))))))))))))))))", lookup, NULL, &value, NULL), PML_OK);
    CU_ASSERT_EQUAL(value, 1);
}

PML_TESTS("runtime/schema/expr", PML_TEST(evaluates), PML_TEST(refuses), PML_TEST(limits_nesting))
