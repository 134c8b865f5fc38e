#include "runtime/tune/space.h"

#include <math.h>
#include <string.h>

#include "tests/harness.h"

static void reads_every_kind(void) {
    static const char json[] =
        "{\"lr\": {\"type\": \"float\", \"low\": 1e-5, \"high\": 0.1, \"log\": true},\n"
        " \"n\": {\"type\": \"int\", \"low\": 1, \"high\": 8, \"step\": 3},\n"
        " \"opt\": {\"type\": \"categorical\", \"choices\": [\"adam\", \"sgd\", null, true, 2, 0.5]},\n"
        " \"m\": {\"type\": \"float\", \"low\": 0, \"high\": 1, \"step\": 0.25, \"if\": {\"opt\": [\"sgd\", 2], \"n\": "
        "4}}}";
    pml_error error;
    pml_space space = {0};
    PML_ASSERT_OK(pml_space_parse(json, strlen(json), "space", &space, &error), &error);
    CU_ASSERT_EQUAL_FATAL(space.n_parameters, 4);
    CU_ASSERT_TRUE(space.parameters[0].distribution.log);
    CU_ASSERT_EQUAL(space.parameters[1].distribution.high, 7); /* 8 is no step of 3 from 1 */
    CU_ASSERT_EQUAL(space.parameters[2].distribution.n_choices, 6);
    CU_ASSERT_TRUE(pml_space_is_active(&space, 3, (double[4]){0.01, 4, 1}));
    CU_ASSERT_TRUE(pml_space_is_active(&space, 3, (double[4]){0.01, 4, 4}));
    CU_ASSERT_FALSE(pml_space_is_active(&space, 3, (double[4]){0.01, 1, 1}));
    CU_ASSERT_FALSE(pml_space_is_active(&space, 3, (double[4]){0.01, 4, 0}));
    CU_ASSERT_FALSE(pml_space_is_active(&space, 3, (double[4]){0.01, NAN, 1}));
    pml_space_deinit(&space);
}

static void refuses_what_is_no_space(void) {
    static const struct {
        const char *json, *part;
        pml_status status;
    } cases[] = {
        {"{", "", PML_E_FORMAT},
        {"[]", "object", PML_E_CONFIG},
        {"{}", "needs a parameter", PML_E_CONFIG},
        {"{\"a\": {\"low\": 1, \"high\": 2}}", "type", PML_E_CONFIG},
        {"{\"a\": {\"type\": \"float\", \"low\": 1}}", "low and high", PML_E_CONFIG},
        {"{\"a\": {\"type\": \"float\", \"low\": 2, \"high\": 1}}", "above its high", PML_E_CONFIG},
        {"{\"a\": {\"type\": \"float\", \"low\": 0, \"high\": 1, \"log\": true}}", "above 0", PML_E_CONFIG},
        {"{\"a\": {\"type\": \"float\", \"low\": 1, \"high\": 2, \"log\": true, \"step\": 1}}", "step", PML_E_CONFIG},
        {"{\"a\": {\"type\": \"int\", \"low\": 0.5, \"high\": 2}}", "whole", PML_E_CONFIG},
        {"{\"a\": {\"type\": \"int\", \"low\": 0, \"high\": 2, \"step\": 0}}", "step", PML_E_CONFIG},
        {"{\"a\": {\"type\": \"categorical\", \"choices\": []}}", "choices", PML_E_CONFIG},
        {"{\"a\": {\"type\": \"categorical\", \"choices\": [1, true]}}", "twice", PML_E_CONFIG},
        {"{\"a\": {\"type\": \"int\", \"low\": 0, \"high\": 2, \"steps\": 1}}", "has type", PML_E_CONFIG},
        {"{\"a\": {\"type\": \"int\", \"low\": 0, \"high\": 2}, \"a\": {\"type\": \"int\", \"low\": 0, \"high\": 2}}",
         "twice", PML_E_CONFIG},
        {"{\"a\": {\"type\": \"int\", \"low\": 0, \"high\": 2, \"if\": {\"b\": 1}}}", "before", PML_E_CONFIG},
        {"{\"b\": {\"type\": \"int\", \"low\": 0, \"high\": 2}, \"a\": {\"type\": \"int\", \"low\": 0, \"high\": 2, "
         "\"if\": {\"b\": 3}}}",
         "never has", PML_E_CONFIG},
        {"{\"b\": {\"type\": \"float\", \"low\": 0, \"high\": 2}, \"a\": {\"type\": \"int\", \"low\": 0, \"high\": 2, "
         "\"if\": {\"b\": 1}}}",
         "int or a categorical", PML_E_CONFIG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_error error = {0};
        pml_space space = {0};
        PML_ASSERT_FAILS(pml_space_parse(cases[i].json, strlen(cases[i].json), "space.json", &space, &error),
                         cases[i].status, &error, cases[i].part);
        CU_ASSERT_TRUE(strstr(error.message, "space.json:1:") != NULL);
    }
}

PML_TESTS("runtime/tune/space", PML_TEST(reads_every_kind), PML_TEST(refuses_what_is_no_space))
