#include "runtime/tune/distribution.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "tests/harness.h"

static pml_status read(const char *json, pml_distribution *d, pml_error *error) {
    return pml_distribution_read(json, strlen(json), "j", d, error);
}

/* Writes a distribution as Optuna's string and reads it again. */
static void comes_back_as_it_was(void) {
    static const char *const texts[] = {
        "{\"name\":\"FloatDistribution\",\"attributes\":{\"step\":null,\"low\":1e-05,\"high\":0.1,\"log\":true}}",
        "{\"name\":\"FloatDistribution\",\"attributes\":{\"step\":0.1,\"low\":0.0,\"high\":1.0,\"log\":false}}",
        "{\"name\":\"IntDistribution\",\"attributes\":{\"log\":false,\"step\":2,\"low\":-3,\"high\":5}}",
        "{\"name\":\"CategoricalDistribution\",\"attributes\":{\"choices\":[null,true,2,0.5,NaN,\"a\"]}}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        pml_error error;
        pml_distribution d = {0}, again = {0};
        char *text = NULL;
        size_t size_bytes = 0;
        PML_ASSERT_OK(read(texts[i], &d, &error), &error);
        FILE *stream = open_memstream(&text, &size_bytes);
        pml_json_writer w;
        pml_json_writer_init(&w, stream, false);
        PML_ASSERT_OK(pml_distribution_write(&d, &w, NULL, &error), &error);
        (void)fclose(stream);
        pml_json_reader r;
        pml_json_reader_init(&r, text, size_bytes, 0, "j", 4096);
        PML_ASSERT_OK(pml_json_next(&r, &error), &error);
        CU_ASSERT_STRING_EQUAL(r.text, texts[i]);
        PML_ASSERT_OK(pml_distribution_read(r.text, r.text_bytes, "j", &again, &error), &error);
        CU_ASSERT_TRUE(pml_distribution_equal(&d, &again) && pml_distribution_compatible(&d, &again));
        pml_json_reader_deinit(&r);
        free(text);
        pml_distribution_deinit(&d);
        pml_distribution_deinit(&again);
    }
}

static void reads_every_class(void) {
    pml_error error;
    pml_distribution d = {0};
    PML_ASSERT_OK(read("{\"name\":\"LogUniformDistribution\",\"attributes\":{\"low\":1,\"high\":2}}", &d, &error),
                  &error);
    CU_ASSERT_TRUE(d.kind == PML_DISTRIBUTION_FLOAT && d.log);
    PML_ASSERT_OK(
        read("{\"name\":\"DiscreteUniformDistribution\",\"attributes\":{\"low\":0,\"high\":1,\"q\":0.3}}", &d, &error),
        &error);
    CU_ASSERT_TRUE(d.step == 0.3 && fabs(d.high - 0.9) < 1e-12);
    PML_ASSERT_OK(
        read("{\"name\":\"IntUniformDistribution\",\"attributes\":{\"low\":0,\"high\":7,\"step\":3}}", &d, &error),
        &error);
    CU_ASSERT_TRUE(d.kind == PML_DISTRIBUTION_INT && d.high == 6);
    PML_ASSERT_OK(read("{\"type\":\"int\",\"low\":1,\"high\":9,\"log\":true}", &d, &error), &error);
    CU_ASSERT_TRUE(d.step == 1 && d.log);
}

static void values_are_told_apart(void) {
    pml_distribution d = {.kind = PML_DISTRIBUTION_FLOAT, .low = 0, .high = 1, .step = 0.1};
    pml_error error;
    PML_ASSERT_OK(pml_distribution_check(&d, &error), &error);
    CU_ASSERT_EQUAL(d.high, 1); /* ten steps of 0.1, though they do not add up to 1 exactly */
    CU_ASSERT_TRUE(pml_distribution_contains(&d, 0.30000000000000004));
    CU_ASSERT_FALSE(pml_distribution_contains(&d, 0.35));
    CU_ASSERT_FALSE(pml_distribution_contains(&d, NAN));
    CU_ASSERT_DOUBLE_EQUAL(pml_distribution_nearest(&d, 0.36), 0.4, 1e-12);
    CU_ASSERT_EQUAL(pml_distribution_nearest(&d, 7), 1);
}

static void refuses_the_impossible(void) {
    static const pml_distribution cases[] = {
        {.kind = PML_DISTRIBUTION_FLOAT, .low = 1, .high = 0},
        {.kind = PML_DISTRIBUTION_FLOAT, .low = 0, .high = INFINITY},
        {.kind = PML_DISTRIBUTION_FLOAT, .low = -1e308, .high = 1e308},
        {.kind = PML_DISTRIBUTION_FLOAT, .low = 0, .high = 1, .log = true},
        {.kind = PML_DISTRIBUTION_FLOAT, .low = 1, .high = 2, .log = true, .step = 1},
        {.kind = PML_DISTRIBUTION_FLOAT, .low = 0, .high = 1, .step = -1},
        {.kind = PML_DISTRIBUTION_FLOAT, .low = 0, .high = 1, .step = 1e-300},
        {.kind = PML_DISTRIBUTION_INT, .low = 0, .high = 1},
        {.kind = PML_DISTRIBUTION_INT, .low = 0, .high = 1e300, .step = 1},
        {.kind = PML_DISTRIBUTION_INT, .low = 0, .high = 4, .step = 1, .log = true},
        {.kind = PML_DISTRIBUTION_CATEGORICAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_error error;
        pml_distribution d = cases[i];
        PML_ASSERT_FAILS(pml_distribution_check(&d, &error), PML_E_CONFIG, &error, "");
    }
}

PML_TESTS("runtime/tune/distribution", PML_TEST(comes_back_as_it_was), PML_TEST(reads_every_class),
          PML_TEST(values_are_told_apart), PML_TEST(refuses_the_impossible))
