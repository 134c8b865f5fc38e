#include "runtime/models/series_metadata.h"

#include <math.h>
#include <string.h>

#include "tests/harness.h"

static pml_metadata *metadata_with(const char *const *columns, size_t n_columns, const double *mean, size_t n_mean,
                                   const double *std, size_t n_std) {
    pml_metadata *m = NULL;
    pml_error error = {0};
    PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    if (columns != NULL) {
        PML_ASSERT_OK(pml_metadata_set_strings(m, "series.columns", columns, n_columns, &error), &error);
    }
    if (mean != NULL) {
        PML_ASSERT_OK(pml_metadata_set_f64s(m, "series.mean", mean, n_mean, &error), &error);
    }
    if (std != NULL) {
        PML_ASSERT_OK(pml_metadata_set_f64s(m, "series.std", std, n_std, &error), &error);
    }
    return m;
}

static const char *const names[] = {"a", "b"};
static const double mean[] = {1, 2, 3}, std[] = {0.5, 4, 2};

static void reads_the_series_state_of_a_file(void) {
    pml_series_state state;
    pml_error error = {0};
    pml_metadata *m = metadata_with(names, 2, mean, 2, std, 2);
    PML_ASSERT_OK(pml_metadata_set_string(m, "series.frequency", "h", &error), &error);
    PML_ASSERT_OK(pml_series_state_get(m, &state, &error), &error);
    CU_ASSERT_EQUAL(state.n_columns, 2);
    CU_ASSERT_STRING_EQUAL(state.columns[1], "b");
    CU_ASSERT_EQUAL(state.n_scaled, 2);
    CU_ASSERT_EQUAL(state.mean[1], 2);
    CU_ASSERT_EQUAL(state.std[0], 0.5);
    CU_ASSERT_STRING_EQUAL(state.frequency, "h");
    pml_metadata_destroy(m);
    m = metadata_with(NULL, 0, NULL, 0, NULL, 0);
    PML_ASSERT_OK(pml_series_state_get(m, &state, &error), &error);
    CU_ASSERT_TRUE(state.columns == NULL && state.mean == NULL && state.std == NULL && state.frequency == NULL);
    pml_metadata_destroy(m);
}

static void rejects_a_state_that_contradicts_itself(void) {
    static const double bad_std[] = {1, 0}, endless[] = {1, INFINITY};
    const struct {
        pml_metadata *m;
        const char *part;
    } cases[] = {
        {metadata_with(names, 2, mean, 3, std, 3), "differ in length"},
        {metadata_with(names, 2, mean, 2, NULL, 0), "differ in length"},
        {metadata_with(names, 2, NULL, 0, std, 2), "differ in length"},
        {metadata_with(NULL, 0, mean, 3, std, 2), "differ in length"},
        {metadata_with(names, 2, mean, 2, bad_std, 2), "element 1 must be greater than 0"},
        {metadata_with(names, 2, endless, 2, std, 2), "series.mean, element 1 is not finite"},
        {metadata_with(names, 2, mean, 2, endless, 2), "series.std, element 1 is not finite"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_series_state state;
        pml_error error = {0};
        PML_ASSERT_FAILS(pml_series_state_get(cases[i].m, &state, &error), PML_E_CONFIG, &error, cases[i].part);
        pml_metadata_destroy(cases[i].m);
    }
    static const char *const keys[] = {"series.columns", "series.mean", "series.frequency"};
    for (size_t i = 0; i < 3; i++) {
        pml_series_state state;
        pml_error error = {0};
        pml_metadata *m = metadata_with(NULL, 0, NULL, 0, NULL, 0);
        PML_ASSERT_OK(pml_metadata_set_bool(m, keys[i], true, &error), &error);
        PML_ASSERT_FAILS(pml_series_state_get(m, &state, &error), PML_E_CONFIG, &error, keys[i]);
        pml_metadata_destroy(m);
    }
}

PML_TESTS("runtime/models/series_metadata", PML_TEST(reads_the_series_state_of_a_file),
          PML_TEST(rejects_a_state_that_contradicts_itself))
