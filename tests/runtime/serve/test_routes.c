#include "runtime/serve/routes.h"

#include <string.h>

#include "tests/harness.h"

static void paths_are_whole(void) {
    static const struct {
        const char *path;
        pml_route_kind kind;
        const char *rest;
    } cases[] = {{"/health", PML_ROUTE_HEALTH, ""},
                 {"/health/", PML_ROUTE_OTHER, ""},
                 {"/healthy", PML_ROUTE_OTHER, ""},
                 {"/metrics", PML_ROUTE_METRICS, ""},
                 {"/v1/models", PML_ROUTE_MODELS, ""},
                 {"/v1/models/", PML_ROUTE_OTHER, ""},
                 {"/v1/models/a/b", PML_ROUTE_MODEL, "a/b"},
                 {"/v1/embeddings", PML_ROUTE_EMBEDDINGS, ""},
                 {"/v1/completions", PML_ROUTE_COMPLETIONS, ""},
                 {"/V1/completions", PML_ROUTE_OTHER, ""},
                 {"", PML_ROUTE_OTHER, ""},
                 {"/", PML_ROUTE_OTHER, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *rest;
        CU_ASSERT_EQUAL(pml_route_find(cases[i].path, &rest), cases[i].kind);
        CU_ASSERT_STRING_EQUAL(rest, cases[i].rest);
    }
}

static void methods_are_whole(void) {
    CU_ASSERT_TRUE(pml_route_allows(PML_ROUTE_HEALTH, "GET") && pml_route_allows(PML_ROUTE_HEALTH, "HEAD"));
    CU_ASSERT_FALSE(pml_route_allows(PML_ROUTE_HEALTH, "POST"));
    CU_ASSERT_TRUE(pml_route_allows(PML_ROUTE_EMBEDDINGS, "POST"));
    CU_ASSERT_FALSE(pml_route_allows(PML_ROUTE_EMBEDDINGS, "POS"));
    CU_ASSERT_FALSE(pml_route_allows(PML_ROUTE_EMBEDDINGS, ""));
    CU_ASSERT_FALSE(pml_route_allows(PML_ROUTE_OTHER, "GET"));
    for (pml_route_kind kind = 0; kind < PML_N_ROUTES; kind++) {
        CU_ASSERT_STRING_EQUAL(pml_route_names[kind], pml_routes[kind].name);
    }
}

static void keys_fit_whole(void) {
    CU_ASSERT_TRUE(pml_route_key_fits("Bearer secret", "secret"));
    CU_ASSERT_TRUE(pml_route_key_fits("bearer secret", "secret"));
    static const char *const wrong[] = {"Bearer secre",   "Bearer secrets",     "Bearer Secret", "Bearer ",
                                        "secret",         "Bearersecret",       "Basic secret",  "",
                                        "Bearer  secret", "Bearer secretsecret"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CU_ASSERT_FALSE(pml_route_key_fits(wrong[i], "secret"));
    }
    CU_ASSERT_FALSE(pml_route_key_fits(NULL, "secret"));
    CU_ASSERT_FALSE(pml_route_key_fits("Bearer ", ""));
}

PML_TESTS("runtime/serve/routes", PML_TEST(paths_are_whole), PML_TEST(methods_are_whole), PML_TEST(keys_fit_whole))
